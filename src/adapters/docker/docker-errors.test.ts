import { describe, expect, it } from 'vitest';
import { engineConflict } from '../../domain/error/errors.js';
import { EngineRefusal, errorOfProgress, errorOfRefusal, errorOfTransport, orMissing } from './docker-errors.js';

describe('errors of the engine', () => {
  it.each<[number, string, string, boolean]>([
    [500, 'write /var/lib/docker/tmp/x: no space left on device', 'StorageError', false],
    [
      409,
      'Conflict. The container name "/x" is already in use by container "1"',
      'ContainerEngineConflictError',
      false,
    ],
    [409, 'anything', 'ContainerEngineConflictError', false],
    [403, 'error while removing network: network x id 1 has active endpoints', 'ContainerEngineConflictError', false],
    [
      500,
      'driver failed programming external connectivity: Bind for 0.0.0.0:1 failed: port is already allocated',
      'ContainerEngineConflictError',
      false,
    ],
    [404, 'No such image: x:1', 'ImageNotAvailable', false],
    [404, 'reference does not exist', 'ImageNotAvailable', false],
    [404, 'manifest for x:1 not found: manifest unknown: manifest unknown', 'ImageNotAvailable', false],
    [
      404,
      "pull access denied for x, repository does not exist or may require 'docker login'",
      'ImageNotAvailable',
      false,
    ],
    [
      500,
      'Get "https://r.example.com/v2/x/manifests/1": unauthorized: authentication required',
      'ImageNotAvailable',
      false,
    ],
    [
      500,
      'Get "https://r.example.com/v2/": dial tcp: lookup r.example.com: no such host',
      'ContainerEngineError',
      true,
    ],
    [
      500,
      'no matching manifest for linux/arm64/v8 in the manifest list entries',
      'ImageArchitectureMismatchError',
      false,
    ],
    [400, 'OCI runtime create failed: exec: "nope": executable file not found in $PATH', 'ContainerEngineError', false],
    [404, 'No such container: x', 'ContainerEngineError', false],
    [500, 'something broke', 'ContainerEngineUnavailableError', true],
    [503, '', 'ContainerEngineUnavailableError', true],
  ])('HTTP %i %s', (status, reason, name, retryable) => {
    const error = errorOfRefusal('do it', new EngineRefusal(status, reason));
    expect(error).toMatchObject({ name, retryable });
    expect(error.message).toContain('do it');
    expect(error.message).toContain(reason);
  });

  it('judges an item of a progress stream by its text alone', () => {
    expect(errorOfProgress('push x', 'An image does not exist locally with the tag: x').name).toBe('ImageNotAvailable');
    expect(errorOfProgress('pull x', 'toomanyrequests')).toMatchObject({ name: 'ContainerEngineError' });
    expect(errorOfProgress('pull x', 'failed to register layer: no space left on device').name).toBe('StorageError');
  });

  it('says what to do about a socket', () => {
    const denied = Object.assign(new Error('connect EACCES'), { code: 'EACCES' });
    expect(errorOfTransport('start', denied)).toMatchObject({
      name: 'ContainerEngineUnavailableError',
      hint: expect.stringContaining('group "docker"'),
      cause: denied,
    });
    expect(errorOfTransport('start', 'odd').hint).toContain('docker info');
    const known = engineConflict('x');
    expect(errorOfTransport('start', known)).toBe(known);
  });

  it('takes 404 for "not there" and nothing else', async () => {
    expect(await orMissing(Promise.reject<number>(new EngineRefusal(404, '')))).toBeUndefined();
    await expect(orMissing(Promise.reject(new EngineRefusal(500, '')))).rejects.toThrow('HTTP 500');
    expect(await orMissing(Promise.resolve(1))).toBe(1);
  });
});
