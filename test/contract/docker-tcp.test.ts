import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../src/adapters/docker/docker-endpoint.js';
import { FileTree } from '../support/file-tree.js';

const call = { signal: new AbortController().signal };
const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

const forward = (client: Socket): void => {
  const engine = connect('/var/run/docker.sock');
  client.on('error', () => engine.destroy()).pipe(engine);
  engine.on('error', () => client.destroy()).pipe(client);
};
const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

it('talks to an engine over TCP', async () => {
  const port = await listen(createServer(forward));
  const endpoint = await findDockerEndpoint({ env: { DOCKER_HOST: `tcp://127.0.0.1:${port}` } });
  expect((await new DockerContainerEngine({ endpoint }).info(call)).osType).toBe('linux');
});

it('talks TLS to an engine that it knows, and to no other', async () => {
  const folder = new FileTree({ x: '' });
  const file = (name: string): string => join(folder.root, name);
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-keyout',
      file('key.pem'),
      '-out',
      file('cert.pem'),
      ...subject,
    ],
    { stdio: 'ignore' },
  );
  const read = (name: string): Buffer => execFileSync('cat', [file(name)]);
  const server = createTlsServer({ key: read('key.pem'), cert: read('cert.pem') }, forward);
  server.on('tlsClientError', () => undefined);
  const port = await listen(server);
  const env = { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder.root };
  await expect(
    new DockerContainerEngine({ endpoint: await findDockerEndpoint({ env }) }).info(call),
  ).rejects.toMatchObject({ name: 'ContainerEngineUnavailableError' });
  folder.write({ 'ca.pem': read('cert.pem').toString() });
  const known = new DockerContainerEngine({ endpoint: await findDockerEndpoint({ env }) });
  expect((await known.info(call)).osType).toBe('linux');
  folder[Symbol.dispose]();
});
