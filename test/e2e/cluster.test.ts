import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import { AgentProcess, type Ended } from '../support/agent-process.js';
import { Daemon } from '../support/daemon.js';
import { EtcdServer, type EtcdMode, ROOT } from '../support/etcd-server.js';
import { type RedisServerUnderTest, startRedis } from '../support/redis-server.js';
import { freePort } from '../support/tcp-listener.js';

/** An agent whose configuration file names etcd and no Redis, as an operator has it. */

interface Dependency {
  readonly group: string;
  readonly component: string;
  readonly healthy: boolean;
  readonly since: string;
}

let redisServer: RedisServerUnderTest;
let redis: Redis;
beforeAll(async () => {
  redisServer = await startRedis();
  redis = new Redis(redisServer.settings.address.port, '127.0.0.1', { db: 4, replyMapping: 'legacy' });
});
afterAll(async () => {
  redis.disconnect();
  await redisServer[Symbol.asyncDispose]();
});

async function makeHome(server: EtcdServer, agent = '', etcd = ''): Promise<AgentHome> {
  const internalPort = await freePort();
  return AgentHome.make({
    // The default, 0.0.0.0:6003, is one for the whole machine.
    agent: (folder) => `service-addr = "127.0.0.1:${internalPort}"\n${agent.replace('@FOLDER@', folder)}`,
    sections: `[etcd]\nnamespace = "test"\naddr = { host = "127.0.0.1", port = ${server.port} }\n${etcd}`,
  });
}

async function configure(server: EtcdServer, values: Readonly<Record<string, string>> = {}): Promise<void> {
  const all = {
    'config/redis/addr': `127.0.0.1:${redisServer.settings.address.port}`,
    'nodes/manager/i-manager': 'up',
    ...values,
  };
  for (const [key, value] of Object.entries(all)) await server.ctl('put', `/sorna/test/${key}`, value);
}

async function config(home: AgentHome, command: string, ...args: readonly string[]): Promise<Ended> {
  await using process = new AgentProcess(['ag', 'config', command, '--config', home.configFile, ...args]);
  return await process.ended;
}

const node = (server: EtcdServer, home: AgentHome, key: string) =>
  server.ctl('get', '--print-value-only', `/sorna/test/nodes/agents/${home.agentId}/${key}`);

/** Names of the stream's events of one agent. */
async function announced(home: AgentHome): Promise<readonly string[]> {
  const entries = await redis.xrange('events', '-', '+');
  return entries.flatMap(([, fields]) => {
    const of = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
    return of('source') === home.agentId || of('source') === '' ? [of('name')] : [];
  });
}

async function dependencies(home: AgentHome): Promise<Readonly<Record<string, Dependency>>> {
  const { stdout } = await home.ag('health', '--json');
  const { dependencies: list } = JSON.parse(stdout) as { dependencies: readonly Dependency[] };
  return Object.fromEntries(list.map((each) => [`${each.group}/${each.component}`, each]));
}

describe.each(['plain', 'auth', 'tls'] as const)('etcd, %s', (mode: EtcdMode) => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start(mode);
    await configure(server);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('gives the agent its Redis, and has it registered until it leaves', async () => {
    await redis.flushall();
    const options = {
      plain: 'user = ""\npassword = ""',
      auth: `user = "${ROOT.user}"\npassword = "${ROOT.password}"`,
      tls: ['ca.crt', 'client.crt', 'client.key']
        .map(
          (file) => `tls-${file.endsWith('key') ? 'key' : file === 'ca.crt' ? 'ca' : 'cert'} = "${server.file(file)}"`,
        )
        .join('\n'),
    };
    await using home = await makeHome(server, '', options[mode]);
    await using daemon = await home.startDaemon();
    expect(await node(server, home, '')).toBe('running\n');
    expect(await node(server, home, 'ip')).toBe('127.0.0.1\n');
    expect(await node(server, home, 'watcher_port')).toBe(`${home.httpPort}\n`);
    await expect.poll(() => announced(home)).toContain('agent_heartbeat');
    const health = await home.ag('health');
    expect(health).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ok\n/) as string });
    for (const name of [
      'etcd/etcd',
      'container/docker',
      'redis/stat',
      'redis/stream',
      'redis/bgtask',
      'manager/registered',
    ])
      expect(health.stdout).toContain(name);
    await daemon.stop();
    expect(await node(server, home, '')).toBe('');
    expect(await node(server, home, 'ip')).toBe('127.0.0.1\n');
    expect((await announced(home)).at(-1)).toBe('agent_terminated');
  });
});

describe('etcd', () => {
  let server: EtcdServer;
  let home: AgentHome;
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    await redis.flushall();
    await server.ctl('del', '--prefix', '');
  });
  afterEach(() => home[Symbol.asyncDispose]());

  const says = (process: AgentProcess, text: string) => process.until(({ stderr }) => stderr.includes(text));

  it('away at start: the agent waits, says so, and goes on; then waits for a Manager', async () => {
    home = await makeHome(server);
    await server.kill();
    const process = home.start('start-server');
    await says(process, 'waiting for etcd');
    await server.start();
    await says(process, 'waiting for a Manager');
    expect(await announced(home)).toEqual([]);
    await configure(server);
    await using daemon = await Daemon.ready(process, home);
    expect(daemon.log.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['etcd is there', 'found a Manager', 'agent ready']),
    );
    await expect.poll(() => announced(home)).toContain('agent_started');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('away at start: %s ends the wait at once', async (signal) => {
    home = await makeHome(server);
    await server.kill();
    await using process = home.start('start-server');
    await says(process, 'waiting for etcd');
    process.send(signal);
    const late = sleep(2_000, 'late', { ref: false });
    expect(await Promise.race([process.ended, late])).toMatchObject({ status: 0 });
    await server.start();
  });

  it('silent at start: SIGTERM still ends the wait at once', async () => {
    home = await makeHome(server, 'pid-file = "@FOLDER@/agent.pid"');
    server.pause();
    try {
      await using process = home.start('start-server');
      await expect.poll(() => existsSync(join(home.folder, 'agent.pid')), { timeout: 10_000 }).toBe(true);
      process.send('SIGTERM');
      const late = sleep(2_000, 'late', { ref: false });
      expect(await Promise.race([process.ended, late])).toMatchObject({ status: 0 });
    } finally {
      server.resume();
    }
  });

  it('does not wait for a Manager if told so, nor call that a fault', async () => {
    home = await makeHome(server, 'skip-manager-detection = true');
    await configure(server);
    await server.ctl('del', '--prefix', '/sorna/test/nodes/manager');
    await using daemon = await home.startDaemon();
    expect((await daemon.http('GET', '/readyz')).status).toBe(200);
    expect(Object.keys(await dependencies(home))).not.toContain('manager/registered');
    expect((await home.ag('health')).status).toBe(0);
  });

  it('away later: the agent goes on, health shows it, and both come back', async () => {
    home = await makeHome(server, '', '');
    await configure(server);
    await using daemon = await home.startDaemon();
    await server.kill();
    await expect.poll(async () => (await dependencies(home))['etcd/etcd']?.healthy, { timeout: 40_000 }).toBe(false);
    const { status, stdout } = await home.ag('health');
    expect({ status, head: stdout.split('\n')[0] }).toEqual({ status: 1, head: 'degraded' });
    expect(stdout).toMatch(/etcd\/etcd +FAILING/);
    expect((await daemon.http('GET', '/readyz')).status).toBe(200);
    expect((await dependencies(home))['redis/stat']?.healthy).toBe(true);
    await server.start();
    await expect.poll(async () => (await dependencies(home))['etcd/etcd']?.healthy, { timeout: 40_000 }).toBe(true);
    expect(await daemon.stop()).toMatchObject({ status: 0 });
  });

  it('a stop while etcd is silent is quick', async () => {
    home = await makeHome(server);
    await configure(server);
    await using daemon = await home.startDaemon();
    server.pause();
    const { status, ms } = await daemon.stop();
    server.resume();
    expect(status).toBe(0);
    expect(ms).toBeLessThan(4_000);
  });

  it('wrong values end the start with the key that is wrong', async () => {
    home = await makeHome(server);
    await configure(server, { 'config/redis/request_timeout': 'soon' });
    const { status, stderr } = await home.ag('start-server');
    expect(status).toBe(2);
    expect(stderr).toContain('etcd /sorna/test/config/redis/request_timeout');
  });

  it('config show tells what comes from etcd, by the most specific scope, and hides secrets', async () => {
    home = await makeHome(server, 'initial-resource-group-name = "gpu"');
    await configure(server, {
      'config/redis/password': 'hush-hush',
      'config/container/kernel-uid': '1500',
      'sgroup/gpu/config/container/kernel-uid': '1501',
      [`nodes/agents/${home.agentId}/config/container/kernel-gid`]: '1502',
    });
    const { status, stdout } = await config(home, 'show', '--json');
    expect(status).toBe(0);
    expect(stdout).not.toContain('hush-hush');
    const shown = new Map(
      (JSON.parse(stdout) as { key: string; value: unknown; origin: string }[]).map(({ key, ...rest }) => [key, rest]),
    );
    expect(shown.get('redis.password')).toEqual({ value: '***', origin: 'etcd /sorna/test/config/redis/password' });
    expect(shown.get('container.kernel-uid')).toEqual({
      ...{ value: 1501, origin: 'etcd /sorna/test/sgroup/gpu/config/container/kernel-uid' },
    });
    expect(shown.get('container.kernel-gid')).toEqual({
      ...{ value: 1502, origin: `etcd /sorna/test/nodes/agents/${home.agentId}/config/container/kernel-gid` },
    });
    expect(shown.get('agent.id')?.origin).toContain('agent.toml: agent.id');
    await server.kill();
    const away = await config(home, 'show');
    expect(away.status).toBe(0);
    expect(away.stderr).toContain('values from etcd are missing here');
    await server.start();
  });

  it("takes the cluster's watcher token beside its own", async () => {
    home = await makeHome(server);
    await configure(server, { 'config/watcher/token': 'cluster-watcher-token' });
    await using daemon = await home.startDaemon();
    for (const [token, status] of [
      ['cluster-watcher-token', 200],
      [daemon.token, 200],
      ['insecure', 403],
      ['', 403],
    ] as const)
      expect((await daemon.http('GET', '/status', { token })).status).toBe(status);
  });
});

it('the TOML of an operator of the reference is taken as it is, in one warning', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'operator-'));
  try {
    const text = await readFile(new URL('../fixtures/config/operator.toml', import.meta.url), 'utf8');
    await using home = await AgentHome.make();
    await writeFile(home.configFile, text.replaceAll('@FOLDER@', folder));
    const { status, stdout, stderr } = await config(home, 'check');
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${home.configFile}: valid\n` });
    expect(stderr.match(/unknown key/g)).toBeNull();
    expect(stderr.match(/without effect here yet/g)).toHaveLength(1);
    expect(stderr).not.toMatch(/logging\.(drivers|file)|pid-file/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
