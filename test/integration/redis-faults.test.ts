import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RedisSettings } from '../../src/adapters/redis/redis-settings.js';
import { type EventSender, kernelNumber, lifeOf, openSender } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { startMoodyProxy } from '../support/moody-proxy.js';
import { realClock } from '../support/real-clock.js';
import { startRedisHost } from '../support/redis-host.js';
import { adminOf, SentinelTrio } from '../support/redis-sentinel.js';
import { freePort } from '../support/tcp-listener.js';

const RECOVERY_MS = 5_000;
/** The port's promise. */
const LONGEST_ANNOUNCE_MS = 1_000;
const AWAY_MS = 2_500;

/** Announces whole lives of kernels, one every 20 ms, and remembers how long the slowest call took. */
class Announcer {
  longestMs = 0;
  next = 1;
  #isOn = true;
  readonly #running: Promise<void>;

  constructor(private readonly sender: EventSender) {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      for (const event of lifeOf(this.next)) {
        const startedAt = performance.now();
        await this.sender.bus.announce(event);
        this.longestMs = Math.max(this.longestMs, performance.now() - startedAt);
      }
      this.next++;
      await realClock.sleep(20);
    }
  }
}

interface Fault {
  readonly settings: RedisSettings;
  /** Where Managers read, before and after. */
  readonly readers: readonly ManagerReader[];
  away(): Promise<unknown>;
  back(): Promise<unknown>;
}

/** Lives go on before, during and after the fault: none is lost, each in its order, and soon after the server is back. */
async function outlive(fault: Fault): Promise<EventSender> {
  const sender = await openSender(fault.settings);
  try {
    const announcer = new Announcer(sender);
    await vi.waitFor(() => expect(sender.outbox.waiting().length).toBeLessThan(announcer.next), 10_000);
    await realClock.sleep(300);
    await fault.away();
    await realClock.sleep(AWAY_MS);
    await fault.back();
    const backAt = performance.now();
    await announcer.stop();
    await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), { timeout: RECOVERY_MS, interval: 20 });
    expect(performance.now() - backAt).toBeLessThan(RECOVERY_MS);
    expect(announcer.longestMs).toBeLessThan(LONGEST_ANNOUNCE_MS);
    expectLives(fault.readers, announcer.next - 1);
    return sender;
  } finally {
    await sender[Symbol.asyncDispose]();
  }
}

function expectLives(readers: readonly ManagerReader[], count: number): void {
  const read = readers.flatMap((reader) => reader.read);
  expect(count).toBeGreaterThan(20);
  for (let n = 1; n <= count; n++) {
    const names = read
      .filter(({ fields }) => fields['payload']?.includes(kernelNumber(n)))
      .map(({ fields }) => fields['name'] ?? '');
    // At least once: what a server forgot may come again.
    expect([...new Set(names)], `kernel ${n}: ${names.join()}`).toEqual(lifeOf(n).map(({ name }) => name));
    expect(names.at(-1)).toBe('kernel_terminated');
  }
}

const messagesOf = ({ logger }: EventSender, level: string) =>
  logger.lines
    .filter((line) => line.level === level)
    .map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);

describe('the events outlive a Redis server that', () => {
  it('is killed and started again', async () => {
    await using server = await startRedisHost();
    await using manager = new ManagerReader(server);
    const away = () => server.kill();
    const back = () => server.start();
    await outlive({ settings: server, readers: [manager], away, back });
  });

  it('stands still', async () => {
    await using server = await startRedisHost();
    await using manager = new ManagerReader(server);
    const away = () => server.signal('SIGSTOP');
    const back = () => server.signal('SIGCONT');
    await outlive({ settings: server, readers: [manager], away, back });
    const ends = manager.read.filter(({ fields }) => fields['name'] === 'kernel_terminated');
    // Commands that were on their way when it stopped are done when it goes on, and repeated: still once each.
    expect(new Set(ends.map(({ fields }) => fields['payload'])).size).toBe(ends.length);
  });

  it('loads its data', async () => {
    const config = ['key-load-delay 1000', 'loading-process-events-interval-bytes 1024'];
    await using server = await startRedisHost({ config });
    await using manager = new ManagerReader(server);
    const admin = adminOf(server);
    for (let n = 0; n < 2_500; n++) void admin.set(`filler:${n}`, 'x'.repeat(2_000));
    const seen: string[] = [];
    const away = async () => {
      await admin.save();
      await server.kill();
      await server.start();
      const early = adminOf(server, { enableReadyCheck: false });
      await early.get('x').catch((error: unknown) => seen.push(String(error)));
      early.disconnect();
    };
    await outlive({ settings: server, readers: [manager], away, back: () => vi.waitFor(() => admin.ping(), 20_000) });
    expect(seen.join()).toContain('LOADING');
    admin.disconnect();
  });

  it('comes back with what it held a while ago', async () => {
    await using server = await startRedisHost();
    const before = new ManagerReader(server);
    await using sender = await openSender(server);
    const announce = async (...numbers: readonly number[]) => {
      for (const event of numbers.flatMap(lifeOf)) await sender.bus.announce(event);
    };
    const isDelivered = () => vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), RECOVERY_MS);
    await announce(1);
    await isDelivered();
    await before[Symbol.asyncDispose]();
    const admin = adminOf(server);
    const length = await admin.xlen('events');
    await admin.save();
    await announce(2, 3);
    await vi.waitFor(async () => expect(await admin.xlen('events')).toBe(length + 6), RECOVERY_MS);
    await server.kill();
    await server.start();
    await using after = new ManagerReader(server);
    await announce(4, 5);
    await isDelivered();
    const read = [...before.read, ...after.read];
    for (const n of [1, 2, 3, 4, 5]) {
      const mine = read.filter(({ fields }) => fields['payload']?.includes(kernelNumber(n)));
      expect(mine.map(({ fields }) => fields['name'])).toEqual(lifeOf(n).map(({ name }) => name));
    }
    admin.disconnect();
  });

  it('only reads', async () => {
    await using server = await startRedisHost();
    await using manager = new ManagerReader(server);
    const admin = adminOf(server);
    const sender = await outlive({
      ...{ settings: server, readers: [manager] },
      away: () => admin.replicaof('127.0.0.1', '1'),
      back: () => admin.replicaof('NO', 'ONE'),
    });
    expect(messagesOf(sender, 'warn').join()).toContain('READONLY');
    admin.disconnect();
  });

  it('has no memory left', async () => {
    await using server = await startRedisHost({ config: ['maxmemory-policy noeviction'] });
    await using manager = new ManagerReader(server);
    const admin = adminOf(server);
    const sender = await outlive({
      ...{ settings: server, readers: [manager] },
      away: () => admin.config('SET', 'maxmemory', '1'),
      back: () => admin.config('SET', 'maxmemory', '0'),
    });
    expect(messagesOf(sender, 'warn').join()).toContain('OOM');
    expect(messagesOf(sender, 'info').join()).toContain('events are sent again');
    admin.disconnect();
  });

  it('refuses the password for a while', async () => {
    await using server = await startRedisHost({ config: ['requirepass right'] });
    const settings = { ...server, password: 'right' };
    await using manager = new ManagerReader(settings);
    const admin = adminOf(server, { password: 'right' });
    const sender = await outlive({
      ...{ settings, readers: [manager] },
      away: async () => {
        await admin.config('SET', 'requirepass', 'other');
        await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      },
      back: () => admin.config('SET', 'requirepass', 'right'),
    });
    expect(messagesOf(sender, 'warn').join()).toMatch(/WRONGPASS|NOAUTH/);
    expect(JSON.stringify(sender.logger.lines)).not.toContain('right');
    admin.disconnect();
  });

  it('resets connections at random', async () => {
    await using server = await startRedisHost();
    await using manager = new ManagerReader(server);
    await using proxy = await startMoodyProxy(server.port);
    const settings = { address: { host: '127.0.0.1', port: proxy.port } };
    await outlive({
      ...{ settings, readers: [manager] },
      away: () => Promise.resolve((proxy.isMoody = true)),
      back: () => Promise.resolve((proxy.isMoody = false)),
    });
    const ends = manager.read.filter(({ fields }) => fields['name'] === 'kernel_terminated');
    // Whether an answer was lost or the request: each once.
    expect(new Set(ends.map(({ fields }) => fields['payload'])).size).toBe(ends.length);
  });

  it('fails over by Sentinel', async () => {
    await using redis = await SentinelTrio.start();
    await using before = new ManagerReader(redis.master);
    await using after = new ManagerReader(redis.replica);
    await outlive({
      settings: {
        ...{ address: { host: '127.0.0.1', port: 1 }, serviceName: redis.service },
        sentinels: [redis.sentinel.address],
      },
      readers: [before, after],
      away: () => redis.master.kill(),
      back: () => redis.failedOver(),
    });
  });
});

describe('TLS with a certificate authority of one’s own', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'redis-tls-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const file = (name: string) => readFileSync(join(folder, name), 'utf8');

  it('is spoken, and a server that it did not certify is not trusted', async () => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test CA', '-days', '2');
    openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
    const extension = join(folder, 'names');
    execFileSync('sh', ['-c', `echo subjectAltName=IP:127.0.0.1 > ${extension}`]);
    openssl(
      'x509',
      '-req',
      '-in',
      'server.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-out',
      'server.crt',
      '-extfile',
      extension,
    );
    const tlsPort = await freePort();
    await using server = await startRedisHost({
      files: { 'server.crt': file('server.crt'), 'server.key': file('server.key'), 'ca.crt': file('ca.crt') },
      config: [
        ...[`tls-port ${tlsPort}`, 'tls-auth-clients no', 'tls-cert-file /data/server.crt'],
        ...['tls-key-file /data/server.key', 'tls-ca-cert-file /data/ca.crt'],
      ],
    });
    await using manager = new ManagerReader(server);
    const address = { host: '127.0.0.1', port: tlsPort };
    await using trusting = await openSender({ address, tls: { skipVerify: false, ca: file('ca.crt') } });
    await using careless = await openSender({ address, tls: { skipVerify: true } });
    await using wary = await openSender({ address, tls: { skipVerify: false } });
    await trusting.bus.announce(lifeOf(1)[0]!);
    await careless.bus.announce(lifeOf(2)[0]!);
    await wary.bus.announce(lifeOf(3)[0]!);
    await vi.waitFor(() => expect(manager.payloads('kernel_preparing')).toHaveLength(2), RECOVERY_MS);
    await vi.waitFor(() => expect(messagesOf(wary, 'warn').join()).toMatch(/certificate/), RECOVERY_MS);
    expect(wary.outbox.waiting()).toHaveLength(1);
  });
});
