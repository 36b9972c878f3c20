import { type AddressInfo, connect, createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RedisClusterMessages } from '../../src/adapters/redis/redis-cluster-messages.adapter.js';
import type { ClusterMessage } from '../../src/application/ports/cluster-messages.port.js';
import { eventsFuzzer } from '../fuzz/events.fuzz.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { startMoodyProxy } from '../support/moody-proxy.js';
import { realClock } from '../support/real-clock.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';

const CHANNEL = 'events_all';
const GARBAGE = 100_000;
/** The quick version of `npm run fuzz -- --only events`; the name of a failed test tells how to have it again. */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 32);
const HOSTILE = 5_000;

const message = (dirName: string): string => {
  const body = { dir_name: dirName, volume_backend_name: 'v', quota_scope_id: 'user:x', fs_location: 'l' };
  return JSON.stringify({ name: 'do_volume_mount', source: 'manager', payload: JSON.stringify(body) });
};

/** Of the heap after a collection: garbage that was not collected yet says nothing. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('RedisClusterMessages', () => {
  let server: RedisHost;
  let manager: Redis;
  beforeAll(async () => {
    server = await startRedisHost({ config: ['client-output-buffer-limit pubsub 256mb 128mb 60'] });
    manager = new Redis(server.port, '127.0.0.1', { replyMapping: 'legacy', commandTimeout: 2_000 });
    manager.on('error', () => undefined);
  });
  afterAll(async () => {
    manager.disconnect();
    await server[Symbol.asyncDispose]();
  });

  const open = (port = server.port) => {
    const logger = new MemoryLogger();
    const messages = new RedisClusterMessages({
      settings: { address: { host: '127.0.0.1', port } },
      clock: realClock,
      logger,
    });
    const heard: string[] = [];
    messages.subscribe(({ body }: ClusterMessage) => heard.push(body.dirName));
    return { messages, heard, logger, [Symbol.asyncDispose]: () => messages[Symbol.asyncDispose]() };
  };
  /** Nothing is remembered for a listener that is not there: said until it is heard. */
  const sayUntilHeard = (name: string, heard: readonly string[]) =>
    vi.waitFor(async () => {
      await manager.publish(CHANNEL, message(name));
      await realClock.sleep(50);
      expect(heard).toContain(name);
    }, 10_000);

  it('hears again after the server was away, stood still, and reset connections', async () => {
    await using proxy = await startMoodyProxy(server.port);
    await using listener = open(proxy.port);
    await sayUntilHeard('first', listener.heard);
    await server.kill();
    await realClock.sleep(500);
    await server.start();
    await sayUntilHeard('after a kill', listener.heard);
    await server.signal('SIGSTOP');
    await realClock.sleep(1_500);
    await server.signal('SIGCONT');
    await sayUntilHeard('after a pause', listener.heard);
    proxy.isMoody = true;
    await realClock.sleep(1_500);
    proxy.isMoody = false;
    await sayUntilHeard('after resets', listener.heard);
    await manager.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await sayUntilHeard('after it was thrown out', listener.heard);
  });

  it('goes on after connections that end while it subscribes again', async () => {
    let isNasty = false;
    let ended = 0;
    const proxy = createServer((client) => {
      const upstream = connect({ host: '127.0.0.1', port: server.port });
      client.on('data', (bytes) => {
        if (isNasty && bytes.includes('subscribe')) {
          ended += 1;
          client.destroy();
        } else upstream.write(bytes);
      });
      upstream.on('data', (bytes) => client.write(bytes));
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const)
        socket.on('error', () => undefined).on('close', () => other.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    await using listener = open((proxy.address() as AddressInfo).port);
    await sayUntilHeard('before', listener.heard);
    isNasty = true;
    await manager.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    // A rejection that nobody handles ends a process, and fails this run.
    await vi.waitFor(() => expect(ended).toBeGreaterThan(3), 10_000);
    isNasty = false;
    await sayUntilHeard('after', listener.heard);
    proxy.close();
  });

  it(`hears through ${GARBAGE} messages of garbage, and keeps nothing of them`, async () => {
    await using listener = open();
    await sayUntilHeard('before', listener.heard);
    const before = heapBytes();
    const kinds = [
      '{',
      '"do_volume_',
      message('x').slice(1),
      '{"name":"do_volume_mount","payload":"{}"}',
      '\u0000'.repeat(500),
    ];
    // As slow as it takes.
    const sender = new Redis(server.port, '127.0.0.1', { replyMapping: 'legacy' });
    for (let n = 0; n < GARBAGE / 1_000; n++) {
      const pipeline = sender.pipeline();
      for (let k = 0; k < 1_000; k++) pipeline.publish(CHANNEL, kinds[k % kinds.length] ?? '');
      await pipeline.exec();
    }
    sender.disconnect();
    await sayUntilHeard('after', listener.heard);
    expect(heapBytes() - before).toBeLessThan(20 * 1024 ** 2);
    expect(listener.logger.lines.length).toBeLessThanOrEqual(10);
    expect(new Set(listener.heard)).toEqual(new Set(['before', 'after']));
  });

  it(`hears through ${HOSTILE} generated and damaged messages, FUZZ_SEED=${seed}`, async () => {
    const { signal } = new AbortController();
    // It rejects with what went wrong.
    const figures = await eventsFuzzer.run({ seed, count: HOSTILE, signal, say: () => undefined });
    expect(figures).toMatchObject({ messages: HOSTILE, 'sound ones heard': 10 });
  });
});
