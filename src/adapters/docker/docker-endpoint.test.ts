import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import { findDockerEndpoint, parseDockerHost, type EndpointSearch } from './docker-endpoint.js';

describe('findDockerEndpoint', () => {
  let tree: FileTree;
  const servers: Server[] = [];
  beforeEach(() => (tree = new FileTree({ 'run/x': '' })));
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    tree[Symbol.dispose]();
  });

  const find = (env: EndpointSearch['env']) =>
    findDockerEndpoint({ env, home: tree.root, uid: 123_456, systemSocket: join(tree.root, 'system.sock') });
  const listen = async (path: string): Promise<string> => {
    const server = createServer();
    servers.push(server);
    server.listen(join(tree.root, path));
    await once(server, 'listening');
    return join(tree.root, path);
  };
  const context = (name: string, docker: object): Record<string, string> => {
    const id = createHash('sha256').update(name).digest('hex');
    return {
      [`.docker/contexts/meta/${id}/meta.json`]: JSON.stringify({ Name: name, Endpoints: { docker } }),
      [`.docker/contexts/tls/${id}/docker/ca.pem`]: 'CA',
      [`.docker/contexts/tls/${id}/docker/key.pem`]: 'KEY',
    };
  };

  it('takes DOCKER_HOST before everything else', async () => {
    tree.write({ '.docker/config.json': '{"currentContext":"remote"}' });
    expect(await find({ DOCKER_HOST: 'unix:///x.sock', DOCKER_CONTEXT: 'other' })).toEqual({
      kind: 'unix',
      socketPath: '/x.sock',
      origin: 'DOCKER_HOST',
    });
  });

  it('secures a TCP engine as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say', async () => {
    tree.write({ 'certs/ca.pem': 'CA', 'certs/cert.pem': 'CERT', 'certs/key.pem': 'KEY' });
    const env = { DOCKER_HOST: 'tcp://h', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: join(tree.root, 'certs') };
    expect(await find(env)).toMatchObject({
      kind: 'tcp',
      host: 'h',
      port: 2376,
      tls: { ca: Buffer.from('CA'), cert: Buffer.from('CERT'), key: Buffer.from('KEY'), rejectUnauthorized: true },
    });
    expect(await find({ DOCKER_HOST: 'tcp://h:99' })).toEqual({
      kind: 'tcp',
      host: 'h',
      port: 99,
      origin: 'DOCKER_HOST',
    });
  });

  it('takes the context of DOCKER_CONTEXT, then that of the configuration, with its certificates', async () => {
    tree.write({
      '.docker/config.json': '{"currentContext":"remote"}',
      ...context('remote', { Host: 'tcp://h:1', SkipTLSVerify: true }),
      ...context('local', { Host: 'unix:///l.sock', SkipTLSVerify: false }),
    });
    expect(await find({})).toMatchObject({
      kind: 'tcp',
      tls: { ca: Buffer.from('CA'), key: Buffer.from('KEY'), rejectUnauthorized: false },
      origin: 'the current Docker context "remote"',
    });
    expect(await find({ DOCKER_CONTEXT: 'local' })).toEqual({
      kind: 'unix',
      socketPath: '/l.sock',
      origin: 'DOCKER_CONTEXT=local',
    });
  });

  it('says which context is missing or broken', async () => {
    await expect(find({ DOCKER_CONTEXT: 'nope' })).rejects.toMatchObject({
      name: 'ConfigurationError',
      hint: expect.stringContaining('docker context ls'),
    });
    tree.write(context('odd', { Host: 5 }));
    await expect(find({ DOCKER_CONTEXT: 'odd' })).rejects.toThrow('cannot be understood');
    tree.write({ '.docker/config.json': 'not json' });
    await expect(find({})).rejects.toThrow('cannot be understood');
  });

  it('finds the system socket, then a rootless one', async () => {
    const rootless = await listen('run/docker.sock');
    const env = { XDG_RUNTIME_DIR: join(tree.root, 'run') };
    expect(await find(env)).toMatchObject({ socketPath: rootless });
    const system = await listen('system.sock');
    expect(await find(env)).toMatchObject({ socketPath: system });
    expect(await find({ ...env, DOCKER_CONTEXT: 'default' })).toMatchObject({ socketPath: system });
  });

  it('tells everything that was tried', async () => {
    tree.write({ 'system.sock': 'a file' });
    await expect(find({ XDG_RUNTIME_DIR: join(tree.root, 'run') })).rejects.toMatchObject({
      name: 'ContainerEngineUnavailableError',
      message: expect.stringMatching(
        /DOCKER_HOST is not set; no Docker context.*system\.sock: not a socket.*run\/docker\.sock: not there/,
      ),
      hint: expect.stringContaining('systemctl start docker'),
    });
  });
});

describe('parseDockerHost', () => {
  it.each(['ssh://u@h', 'npipe:////./pipe/docker_engine', 'fd://'])('does not support %s', (address) => {
    expect(() => parseDockerHost(address, 'DOCKER_HOST')).toThrow(/is not supported/);
  });

  it.each(['tcp://', 'gopher://h', 'tcp://h:notaport', 'tcp://a b'])('refuses %s', (address) => {
    expect(() => parseDockerHost(address, 'DOCKER_HOST')).toThrow(/not an engine address/);
  });

  it.each([
    ['unix://', { kind: 'unix', socketPath: '/var/run/docker.sock' }],
    ['h:1', { kind: 'tcp', host: 'h', port: 1 }],
    ['tcp://h:80', { kind: 'tcp', host: 'h', port: 80 }],
    ['https://h', { kind: 'tcp', host: 'h', port: 2376, tls: { rejectUnauthorized: true } }],
    ['tcp://[::1]:5', { kind: 'tcp', host: '::1', port: 5 }],
  ])('reads %s', (address, expected) => {
    expect(parseDockerHost(address, 'x')).toEqual({ ...expected, origin: 'x' });
  });
});
