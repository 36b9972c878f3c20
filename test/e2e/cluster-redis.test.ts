import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { EtcdServer } from '../support/etcd-server.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';
import { freePort } from '../support/tcp-listener.js';

/** Redis as etcd describes it to an agent: a master known to sentinels, and one role on a server of its own with TLS. */
const PASSWORDS = { main: 'pass of main', sentinel: 'pass-of-sentinel', logs: 'pass-of-logs' };

let folder: string;
let etcd: EtcdServer;
let main: RedisHost;
let sentinel: RedisHost;
let logs: RedisHost;
let logsTlsPort: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cluster-redis-'));
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'server.key'];
  const args = ['req', '-x509', ...key, '-out', 'server.crt', '-days', '2', '-subj', '/CN=redis'];
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const files = {
    'server.crt': readFileSync(join(folder, 'server.crt')),
    'server.key': readFileSync(join(folder, 'server.key')),
  };
  etcd = await EtcdServer.start();
  main = await startRedisHost({ config: [`requirepass "${PASSWORDS.main}"`] });
  sentinel = await startRedisHost({
    sentinel: true,
    config: [
      `requirepass ${PASSWORDS.sentinel}`,
      `sentinel monitor the-master 127.0.0.1 ${main.port} 1`,
      `sentinel auth-pass the-master "${PASSWORDS.main}"`,
    ],
  });
  logsTlsPort = await freePort();
  logs = await startRedisHost({
    files,
    config: [
      ...[`requirepass ${PASSWORDS.logs}`, `tls-port ${logsTlsPort}`, 'tls-auth-clients no'],
      ...['tls-cert-file /data/server.crt', 'tls-key-file /data/server.key', 'tls-ca-cert-file /data/server.crt'],
    ],
  });
  const values = {
    'nodes/manager/i-manager': 'up',
    'config/redis/addr': '127.0.0.1:1',
    'config/redis/sentinel': `127.0.0.1:${sentinel.port}`,
    'config/redis/service_name': 'the-master',
    'config/redis/password': PASSWORDS.main,
    'config/redis/sentinel_password': PASSWORDS.sentinel,
    'config/redis/redis_helper_config/socket_timeout': '5.0',
    'config/redis/override_configs/container_log/addr': `127.0.0.1:${logsTlsPort}`,
    'config/redis/override_configs/container_log/password': PASSWORDS.logs,
    'config/redis/override_configs/container_log/use_tls': 'true',
    'config/redis/override_configs/container_log/tls_skip_verify': 'true',
  };
  for (const [name, value] of Object.entries(values)) await etcd.ctl('put', `/sorna/test/${name}`, value);
});

afterAll(async () => {
  for (const server of [main, sentinel, logs, etcd]) await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

it('is reached by sentinels, passwords, TLS and role, and health tells of each role', async () => {
  const internal = await freePort();
  await using home = await AgentHome.make({
    agent: () => `service-addr = "127.0.0.1:${internal}"`,
    sections: `[etcd]\nnamespace = "test"\naddr = "127.0.0.1:${etcd.port}"\n[debug]\nheartbeat-interval = 0.5\n`,
  });
  await using daemon = await home.startDaemon('--log-level', 'debug');
  const health = await home.ag('health');
  expect(health).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ok\n/) as string });
  for (const role of ['stat', 'stream', 'bgtask', 'container_log', 'live', 'image'])
    expect(health.stdout).toMatch(new RegExp(`redis/${role} +ok +[\\d.]+ ms +\\d{4}-\\d\\d-\\d\\d`));

  const at = (db: number) => new Redis(main.port, '127.0.0.1', { db, password: PASSWORDS.main });
  const [stat, image, stream] = [at(0), at(3), at(4)];
  const logServer = new Redis(logs.port, '127.0.0.1', { password: PASSWORDS.logs });
  try {
    await expect.poll(() => stat.exists(`container_count.${home.agentId}`)).toBe(1);
    await expect.poll(() => image.exists(`installed_image:${home.agentId}`)).toBe(1);
    expect(await stream.xlen('events')).toBeGreaterThan(0);
    const clients = String(await logServer.client('LIST'));
    expect(clients).toMatch(new RegExp(`laddr=127.0.0.1:${logsTlsPort} .*\\bdb=6\\b`));
    expect(clients).not.toMatch(/\bdb=[0-57]\b.*\bcmd=(set|hset|xadd)/);
  } finally {
    for (const client of [stat, image, stream, logServer]) client.disconnect();
  }

  await logs.kill();
  await expect
    .poll(async () => (await home.ag('health')).stdout, { timeout: 75_000 })
    .toMatch(/container_log +FAILING/);
  const { status, stdout } = await home.ag('health');
  expect({ status, failing: stdout.match(/\S+(?= +FAILING)/g) }).toEqual({
    status: 1,
    failing: ['redis/container_log'],
  });
  const shown = await home.ag('status');
  for (const password of Object.values(PASSWORDS))
    expect(daemon.process.stderr + stdout + shown.stdout).not.toContain(password);
});
