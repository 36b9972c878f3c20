import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AgentHome } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { kernelNumber } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { type MoodyProxy, startMoodyProxy } from '../support/moody-proxy.js';
import { realClock } from '../support/real-clock.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';
import { adminOf, SentinelTrio } from '../support/redis-sentinel.js';
import { RpcLoad } from '../support/rpc-load.js';

/** The whole agent, under calls all the time, while its Redis is in trouble. The bus alone: test/integration/redis-faults. */

const RECOVERY_MS = 5_000;
const AWAY_MS = 2_500;
/** The promise is 50 ms for 99 of 100. That is printed, to be read on an idle machine; half of the calls do this on any. */
const RESPONSIVE_MS = 500;
/** What is told of a kernel whose image is missing. */
const LIFE = ['kernel_preparing', 'kernel_terminated'];
const PASSWORD = 'right-one';

interface Fault {
  readonly name: string;
  away(): Promise<unknown>;
  back(): Promise<unknown>;
  /** The server forgot how far its readers are: what it had not told yet is sent again. */
  readonly forgets?: boolean;
}

interface Site {
  readonly home: AgentHome;
  readonly readers: readonly ManagerReader[];
  /** Number of the next kernel. */
  next: number;
}

/** Calls and short lives of kernels go on before, during and after the fault. */
async function outlive(site: Site, { name, away, back, forgets = false }: Fault): Promise<void> {
  const first = site.next;
  await using load = new RpcLoad(`tcp://127.0.0.1:${site.home.rpcPort}`, first);
  await realClock.sleep(500);
  await away();
  await realClock.sleep(AWAY_MS);
  await back();
  const backAt = performance.now();
  const creations = await load.stopKernels();
  site.next = load.next;
  const numbers = Array.from({ length: site.next - first }, (_, at) => first + at);
  const untold = () => numbers.filter((n) => storyOf(site.readers, n).at(-1) !== LIFE.at(-1));
  await vi.waitFor(() => expect(untold()).toEqual([]), { timeout: RECOVERY_MS, interval: 20 });
  const recoveredMs = Math.round(performance.now() - backAt);
  const calls = await load.stop();
  process.stdout.write(
    `redis ${name}: ${calls.calls} calls p50 ${calls.p50} p99 ${calls.p99} max ${calls.max} ms; ` +
      `${creations.calls} creations p99 ${creations.p99} ms; all told ${recoveredMs} ms after it was back\n`,
  );
  expect(calls.p50).toBeLessThan(RESPONSIVE_MS);
  // What is taken for lost comes again, if it does, within moments.
  await realClock.sleep(300);
  for (const n of numbers) {
    const story = storyOf(site.readers, n);
    // Of what may have been read and was forgotten only the end comes again: nothing may follow it.
    expect(forgets ? LIFE.slice(-new Set(story).size) : LIFE, `kernel ${n}`).toEqual(
      forgets ? [...new Set(story)] : story,
    );
    expect(story.at(-1)).toBe(LIFE.at(-1));
  }
}

/** Names of a kernel's events as the Managers read them. */
function storyOf(readers: readonly ManagerReader[], number: number): readonly string[] {
  const id = kernelNumber(number);
  const entries = readers.flatMap(({ read }) => read);
  return entries.flatMap(({ fields }) => (fields['payload']?.includes(id) === true ? [fields['name'] ?? ''] : []));
}

describe('a daemon under calls outlives a Redis server that', () => {
  let server: RedisHost;
  let proxy: MoodyProxy;
  let manager: ManagerReader;
  let admin: Redis;
  let daemon: Daemon;
  let site: Site;
  const outlives = (fault: Fault) => outlive(site, fault);
  const restrict = async (...setting: string[]): Promise<unknown> => admin.call('CONFIG', 'SET', ...setting);
  const throwOut = () => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');

  beforeAll(async () => {
    server = await startRedisHost({
      config: [
        ...[`requirepass ${PASSWORD}`, 'maxmemory-policy noeviction'],
        ...['key-load-delay 1000', 'loading-process-events-interval-bytes 1024'],
      ],
    });
    proxy = await startMoodyProxy(server.port);
    manager = new ManagerReader({ ...server, password: PASSWORD });
    admin = adminOf(server, { password: PASSWORD });
    const sections = `[redis]\naddr = "127.0.0.1:${proxy.port}"\npassword = "${PASSWORD}"\n`;
    const home = await AgentHome.make({ sections });
    site = { home, readers: [manager], next: 1 };
    // The password is wrong when it starts, and put right later.
    await restrict('requirepass', 'another');
    daemon = await home.startDaemon();
  });
  afterAll(async () => {
    await site.home[Symbol.asyncDispose]();
    await manager[Symbol.asyncDispose]();
    admin.disconnect();
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('refused its password from the start', () =>
    outlives({
      name: 'with another password at start',
      away: throwOut,
      back: () => restrict('requirepass', PASSWORD),
    }));

  it('is killed and started again', () =>
    outlives({ name: 'killed', away: () => server.kill(), back: () => server.start(), forgets: true }));

  it('stands still', () =>
    outlives({ name: 'stopped', away: () => server.signal('SIGSTOP'), back: () => server.signal('SIGCONT') }));

  it('loads its data', async () => {
    for (let n = 0; n < 2_500; n++) void admin.set(`filler:${n}`, 'x'.repeat(2_000));
    const seen: string[] = [];
    const away = async () => {
      await admin.save();
      await server.kill();
      await server.start();
      const early = adminOf(server, { password: PASSWORD, enableReadyCheck: false });
      await early.get('x').catch((error: unknown) => seen.push(String(error)));
      early.disconnect();
    };
    const back = () => vi.waitFor(() => admin.ping(), 20_000);
    await outlives({ name: 'loading', away, back, forgets: true });
    expect(seen.join()).toContain('LOADING');
  });

  it('only reads', () =>
    outlives({
      ...{ name: 'read-only', away: () => admin.replicaof('127.0.0.1', '1') },
      back: () => admin.replicaof('NO', 'ONE'),
    }));

  it('has no memory left', () =>
    outlives({
      ...{ name: 'without memory', away: () => restrict('maxmemory', '1') },
      back: () => restrict('maxmemory', '0'),
    }));

  it('refuses the password for a while', () =>
    outlives({
      name: 'refusing the password',
      away: async () => {
        await restrict('requirepass', 'another');
        await throwOut();
      },
      back: () => restrict('requirepass', PASSWORD),
    }));

  it('resets connections at random', () =>
    outlives({
      ...{ name: 'resetting connections', away: () => Promise.resolve((proxy.isMoody = true)) },
      back: () => Promise.resolve((proxy.isMoody = false)),
    }));

  it('and is the same agent as before', async () => {
    expect(daemon.process.isRunning, daemon.process.stderr.slice(-5_000)).toBe(true);
    expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
    expect(JSON.stringify(daemon.log)).not.toContain(PASSWORD);
    await expect.poll(async () => (await site.home.ag('health')).stdout, { timeout: 20_000 }).toMatch(/^ok\n/);
    // Nothing waits any more.
    expect(await daemon.metrics(/^backendai_agent_events_waiting/)).toEqual(['backendai_agent_events_waiting 0']);
    expect(await daemon.stop()).toMatchObject({ status: 0 });
  });
});

it('a daemon under calls follows a fail-over of Sentinel', async () => {
  await using redis = await SentinelTrio.start();
  await using before = new ManagerReader(redis.master);
  await using after = new ManagerReader(redis.replica);
  const sections = `[redis]\nsentinel = ["127.0.0.1:${redis.sentinel.port}"]\nservice-name = "${redis.service}"\n`;
  await using home = await AgentHome.make({ sections });
  await using daemon = await home.startDaemon();
  await outlive(
    { home, readers: [before, after], next: 1 },
    {
      ...{ name: 'failed over', away: () => redis.master.kill(), forgets: true },
      back: () => redis.failedOver(),
    },
  );
  expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
});
