import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import { DockerLogins } from '../../src/adapters/docker/registry-credentials.js';
import type { TransferProgress } from '../../src/application/ports/container-engine.port.js';
import { FileTree } from '../support/file-tree.js';
import { StubRegistry } from '../support/stub-registry.js';
import { tarOf } from '../support/tar.js';

describe('DockerContainerEngine.pullImage', () => {
  const call = { signal: new AbortController().signal };
  const pulled: string[] = [];
  let engine: DockerContainerEngine;
  let registry: StubRegistry;
  let config: FileTree;
  let layer: Buffer;

  beforeAll(async () => {
    config = new FileTree({ x: '' });
    engine = new DockerContainerEngine({
      endpoint: await findDockerEndpoint(),
      logins: new DockerLogins({ configFolder: config.root }),
    });
  });
  beforeEach(async () => {
    registry = await StubRegistry.start();
    const chunks: Uint8Array[] = [];
    for await (const chunk of tarOf({ data: randomBytes(200_000) })) chunks.push(chunk);
    layer = Buffer.concat(chunks);
  });
  afterEach(() => registry[Symbol.asyncDispose]());
  afterAll(async () => {
    for (const reference of pulled) await engine.removeImage(reference, {}, call);
    config[Symbol.dispose]();
  });

  const pull = async (reference: string, options = {}, timeoutMs = 60_000): Promise<void> => {
    pulled.push(reference);
    await engine.pullImage(reference, options, { ...call, timeoutMs });
  };

  it('pulls to the end and tells progress', async () => {
    const reference = registry.add('test/good', '1', layer);
    const progress: TransferProgress[] = [];
    await pull(reference, { onProgress: (item: TransferProgress) => progress.push(item) });
    expect(await engine.inspectImage(reference, call)).toMatchObject({ labels: { from: 'stub' }, tags: [reference] });
    expect(progress.some(({ status, totalBytes }) => status === 'Downloading' && totalBytes > 100_000)).toBe(true);
  });

  it('says that an image or a tag is not there', async () => {
    registry.add('test/good', '1', layer);
    for (const name of ['test/good:2', 'test/none:1']) {
      await expect(pull(`${registry.host}/${name}`)).rejects.toMatchObject({ name: 'ImageNotAvailable' });
    }
  });

  it('sends the credentials of the call, or those stored for the Docker CLI', async () => {
    const reference = registry.add('test/private', '1', layer);
    registry.password = 'user:pass';
    await expect(pull(reference)).rejects.toMatchObject({
      name: 'ImageNotAvailable',
      hint: expect.stringContaining('docker login'),
    });
    await pull(reference, { credentials: { username: 'user', password: 'pass' } });
    await engine.removeImage(reference, {}, call);
    const auth = Buffer.from('user:pass').toString('base64');
    config.write({ 'config.json': JSON.stringify({ auths: { [registry.host]: { auth } } }) });
    await pull(reference);
    config.remove('config.json');
  });

  it('finds that an image is for another architecture', async () => {
    const reference = registry.add('test/foreign', '1', layer, { architecture: 's390x', asList: true });
    await expect(pull(reference)).rejects.toMatchObject({ name: 'ImageArchitectureMismatchError' });
  });

  it('fails when a layer turns out to be broken, though the stream began well', async () => {
    const reference = registry.add('test/broken', '1', randomBytes(10_000));
    const progress: TransferProgress[] = [];
    const pulling = pull(reference, { onProgress: (item: TransferProgress) => progress.push(item) });
    await expect(pulling).rejects.toMatchObject({ name: 'ContainerEngineError' });
    expect(progress.length).toBeGreaterThan(0);
    expect(await engine.inspectImage(reference, call)).toBeUndefined();
  });

  it('says that a registry cannot be reached', async () => {
    await expect(pull('127.0.0.1:9/test/none:1')).rejects.toMatchObject({
      name: 'ContainerEngineError',
      retryable: true,
      hint: expect.stringContaining('registry'),
    });
  });

  it('ends in the middle of a layer by its deadline and by its signal', async () => {
    const reference = registry.add('test/slow', '1', layer);
    registry.stallsLayers = true;
    await expect(pull(reference, {}, 1000)).rejects.toMatchObject({ name: 'TimeoutError' });
    const abort = new AbortController();
    const pulling = engine.pullImage(
      reference,
      { onProgress: ({ status }) => status === 'Pulling fs layer' && abort.abort() },
      { signal: abort.signal },
    );
    await expect(pulling).rejects.toMatchObject({ name: 'AbortError' });
    expect(await engine.inspectImage(reference, call)).toBeUndefined();
  });
});
