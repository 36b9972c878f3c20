import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import type { AgentProcess } from '../support/agent-process.js';
import { Daemon } from '../support/daemon.js';
import { EtcdServer, ROOT } from '../support/etcd-server.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';
import { RpcLoad } from '../support/rpc-load.js';

/** A whole agent whose etcd is in trouble: while it runs, under calls all the time, and while it starts. */

const RECOVERY_MS = 5_000;
/** An agent looks after its dependencies now and then, and waits five seconds for one that is silent. */
const NOTICED_MS = 40_000;
/** The promise is 50 ms for 99 of 100. That is printed, to be read on an idle machine; half of the calls do this on any. */
const RESPONSIVE_MS = 500;

const AGENT = { user: 'agent', password: 'of-the-agent' };

let redis: RedisHost;
beforeAll(async () => {
  redis = await startRedisHost();
});
afterAll(() => redis[Symbol.asyncDispose]());

async function configure(server: EtcdServer): Promise<void> {
  await server.ctl('put', '/sorna/test/config/redis/addr', `127.0.0.1:${redis.port}`);
  await server.ctl('put', '/sorna/test/nodes/manager/i-manager', 'up');
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

function makeHome(server: EtcdServer, { user: name, password }: Credentials = ROOT): Promise<AgentHome> {
  const user = `user = "${name}"\npassword = "${password}"`;
  const address = `{ host = "127.0.0.1", port = ${server.port} }`;
  return AgentHome.make({ sections: `[etcd]\nnamespace = "test"\naddr = ${address}\n${user}\n` });
}

const statusOf = (server: EtcdServer, home: AgentHome) =>
  server.ctl('get', '--print-value-only', `/sorna/test/nodes/agents/${home.agentId}/`);

describe('a daemon under calls outlives an etcd that', () => {
  let server: EtcdServer;
  let home: AgentHome;
  let daemon: Daemon;
  beforeAll(async () => {
    server = await EtcdServer.start('auth');
    await configure(server);
    await server.addUser(AGENT.user, AGENT.password);
    home = await makeHome(server, AGENT);
    daemon = await home.startDaemon();
  });
  afterAll(async () => {
    await home[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  async function healthOfEtcd(): Promise<boolean> {
    const { body } = await daemon.http('GET', '/health');
    const { connectivity } = body as {
      connectivity: { connectivity_checks: readonly { component_id: string; is_healthy: boolean }[] };
    };
    const found = connectivity.connectivity_checks.find(({ component_id: id }) => id === 'etcd');
    if (found === undefined) throw new Error(JSON.stringify(body));
    return found.is_healthy;
  }

  /** Calls go on before, during and after the fault; it is noticed, and so is its end. */
  async function outlives(name: string, away: () => unknown, back: () => unknown): Promise<void> {
    await using load = new RpcLoad(`tcp://127.0.0.1:${home.rpcPort}`);
    await away();
    await vi.waitFor(async () => expect(await healthOfEtcd()).toBe(false), { timeout: NOTICED_MS, interval: 100 });
    await load.stopKernels();
    await back();
    const backAt = performance.now();
    await vi.waitFor(async () => expect(await healthOfEtcd()).toBe(true), { timeout: RECOVERY_MS, interval: 50 });
    const recoveredMs = Math.round(performance.now() - backAt);
    const { calls, p50, p99, max } = await load.stop();
    process.stdout.write(
      `etcd ${name}: ${calls} calls p50 ${p50} p99 ${p99} max ${max} ms; seen ${recoveredMs} ms after it was back\n`,
    );
    expect(p50).toBeLessThan(RESPONSIVE_MS);
    expect((await daemon.http('GET', '/readyz')).status).toBe(200);
  }

  it('is killed and started again', () =>
    outlives(
      'killed',
      () => server.kill(),
      () => server.start(),
    ));

  it('stands still', () =>
    outlives(
      'stopped',
      () => server.pause(),
      () => server.resume(),
    ));

  it('refuses the password for a while', () =>
    outlives(
      'refusing the password',
      () => server.setPassword(AGENT.user, 'another'),
      () => server.setPassword(AGENT.user, AGENT.password),
    ));

  it('and is the same agent as before', async () => {
    expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(JSON.stringify(daemon.log)).not.toContain(AGENT.password);
    expect(await statusOf(server, home)).toBe('running\n');
    expect(await daemon.stop()).toMatchObject({ status: 0 });
    expect(await statusOf(server, home)).toBe('');
  });
});

describe('a daemon starts while etcd', () => {
  let server: EtcdServer;
  let home: AgentHome;
  beforeEach(async () => {
    server = await EtcdServer.start('auth');
    home = await makeHome(server);
  });
  afterEach(async () => {
    await home[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  const says = (process: AgentProcess, text: string) => process.until(({ stderr }) => stderr.includes(text));
  /** Ready, registered, and soon. */
  async function readySoon(process: AgentProcess): Promise<void> {
    const backAt = performance.now();
    await using daemon = await Daemon.ready(process, home);
    expect(performance.now() - backAt).toBeLessThan(2 * RECOVERY_MS);
    await expect.poll(() => statusOf(server, home)).toBe('running\n');
    expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
  }

  it('stands still, and is ready soon after it goes on', async () => {
    await configure(server);
    server.pause();
    const process = home.start('start-server');
    await says(process, 'waiting for etcd');
    server.resume();
    await readySoon(process);
  });

  it('is started again while the agent waits for a Manager', async () => {
    const process = home.start('start-server');
    await says(process, 'waiting for a Manager');
    await server.kill();
    await sleep(8_000);
    await server.start();
    await configure(server);
    await readySoon(process);
  });

  it('refuses its password: it says so, without the password, and ends', async () => {
    await configure(server);
    await using wrong = await makeHome(server, { ...ROOT, password: 'not-the-one' });
    const { status, stderr } = await wrong.ag('start-server');
    expect(status).toBe(2);
    expect(stderr).toContain('refuses the user');
    expect(stderr).not.toContain('not-the-one');
  });
});

it('an etcd that gets users while the agent runs is used with the configured one', async () => {
  await using server = await EtcdServer.start();
  await configure(server);
  await using home = await makeHome(server);
  await using daemon = await home.startDaemon();
  await server.enableUsers();
  await daemon.stop();
  // It could still take its entry away.
  expect(await statusOf(server, home)).toBe('');
});
