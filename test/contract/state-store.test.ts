import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedStateStore } from '../../src/adapters/embedded/embedded-state-store.adapter.js';
import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';
import { RedisStateStore } from '../../src/adapters/redis/redis-state-store.adapter.js';
import { ManualClock } from '../support/manual-clock.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { type RedisServerUnderTest, startRedis } from '../support/redis-server.js';
import { stateStoreContract } from './state-store.contract.js';

const clock = new SystemClock();

stateStoreContract('embedded', () => {
  const manual = new ManualClock();
  return Promise.resolve({
    store: new EmbeddedStateStore(manual),
    pass: (seconds) => manual.advance(seconds * 1_000),
    nowMs: () => manual.now(),
    close: () => Promise.resolve(),
  });
});

describe('with a Redis server', () => {
  let server: RedisServerUnderTest;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const open = () => new RedisStateStore({ settings: server.settings, clock, logger: new MemoryLogger() });

  stateStoreContract('redis', () => {
    const store = open();
    return Promise.resolve({
      store,
      pass: (seconds) => clock.sleep(seconds * 1_000),
      nowMs: () => clock.now(),
      close: () => {
        store[Symbol.dispose]();
        return Promise.resolve();
      },
    });
  });

  it('uses the databases of the reference', async () => {
    using store = open();
    await store.set('statistics', 'where', 'x');
    await store.set('container_log', 'where', 'x');
    const redis = new Redis(server.settings.address.port, '127.0.0.1', { db: 6, replyMapping: 'legacy' });
    expect(await redis.get('where')).toBe('x');
    await redis.select(0);
    expect(await redis.get('where')).toBe('x');
    await store.setHash('discovery', 'registry', { id: '1' }, 180);
    expect(await redis.ttl('registry')).toBe(180);
    await store.append('statistics', 'list', ['1', '2', '3'], 3600);
    expect(await redis.lrange('list', 0, -1)).toEqual(['1', '2', '3']);
    await redis.select(3);
    expect(await redis.get('where')).toBeNull();
    redis.disconnect();
  });

  it('fails within two seconds while the server is silent or gone, and works again after', async () => {
    using store = open();
    await store.set('live', 'k', 'v');
    await server.pause();
    await expectFailureWithin(2_000, () => store.get('live', 'k'));
    await server.resume();
    expect(await eventually(() => store.get('live', 'k'))).toBeDefined();
    await server.kill();
    await expectFailureWithin(2_000, () => store.set('live', 'k', 'v'));
    await expectFailureWithin(2_000, () => store.probe());
    await server.start();
    await eventually(() => store.probe());
  });
});

async function expectFailureWithin(ms: number, call: () => Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await expect(call()).rejects.toMatchObject({ name: 'StateStoreError', retryable: true });
  expect(performance.now() - startedAt).toBeLessThan(ms);
}

/** Until it works, for ten seconds at most. */
async function eventually<Result>(call: () => Promise<Result>): Promise<Result> {
  const until = performance.now() + 10_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > until) throw error;
      await clock.sleep(50);
    }
  }
}
