import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { freePort } from '../support/tcp-listener.js';

/** Where Prometheus scrapes an operator's agent: the address may have TLS, with the operator's certificate. */
it('serves its second address with TLS if the configuration says so', async () => {
  const port = await freePort();
  await using home = await AgentHome.make({
    agent: (folder) => `service-addr = "127.0.0.1:${port}"
ssl-enabled = true
ssl-cert = "${join(folder, 'agent.crt')}"
ssl-key = "${join(folder, 'agent.key')}"`,
  });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'agent.key'];
  const names = ['-subj', '/CN=node', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const args = ['req', '-x509', ...key, '-out', 'agent.crt', '-days', '2', ...names];
  execFileSync('openssl', args, { cwd: home.folder, stdio: 'pipe' });
  await using daemon = await home.startDaemon();
  const ca = readFileSync(join(home.folder, 'agent.crt'));
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', ca }, resolve).once('error', reject);
  });
  expect(await text(answer)).toContain('backendai_agent_heartbeat');
  await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
  // The command line goes on using the other one.
  expect((await home.ag('status')).status).toBe(0);
  expect(await daemon.stop()).toMatchObject({ status: 0 });
});
