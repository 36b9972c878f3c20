import { Redis } from 'ioredis';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RedisClusterMessages } from '../../src/adapters/redis/redis-cluster-messages.adapter.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { realClock } from '../support/real-clock.js';
import { startRedisHost } from '../support/redis-host.js';
import { hostileMessage, soundMessage } from './events/messages.js';
import type { Fuzzer, FuzzContext } from './fuzzer.js';
import { MIB, mib } from './mib.js';
import { Random } from './random.js';

const CHANNEL = 'events_all';
const BATCH = 500;
const HEARD_MS = 10_000;
const MAX_GROWTH_BYTES = 32 * MIB;
const LOOK_EVERY = 20_000;

/** Of the heap, after a collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

async function run({ seed, count, signal, say }: FuzzContext): Promise<Readonly<Record<string, number | string>>> {
  const random = new Random(seed);
  await using server = await startRedisHost({ config: ['client-output-buffer-limit pubsub 256mb 128mb 60'] });
  const manager = new Redis(server.port, '127.0.0.1', { replyMapping: 'legacy' });
  const heard = new Set<string>();
  const logger = new MemoryLogger();
  await using messages = new RedisClusterMessages({
    settings: { address: { host: '127.0.0.1', port: server.port } },
    clock: realClock,
    logger,
  });
  messages.subscribe(({ body }) => {
    heard.add(body.dirName);
  });
  /** Sound messages are heard in order: when the mark is, all before it was read. */
  const reach = async (mark: string, again: boolean): Promise<number> => {
    const began = performance.now();
    while (!heard.delete(mark)) {
      signal.throwIfAborted();
      if (performance.now() - began > HEARD_MS) throw new Error(`a sound message was not heard: ${mark}`);
      if (again) await manager.publish(CHANNEL, soundMessage(new Random(seed), mark));
      await realClock.sleep(again ? 20 : 1);
    }
    return performance.now() - began;
  };

  try {
    await reach('first', true);
    const before = heapBytes();
    const began = performance.now();
    let slowest = 0;
    let sound = 0;
    for (let sent = 0; sent < count;) {
      const size = Math.min(BATCH, count - sent);
      const pipeline = manager.pipeline();
      for (let n = 0; n < size; n++) pipeline.publish(CHANNEL, hostileMessage(random));
      const mark = `mark-${sent}`;
      pipeline.publish(CHANNEL, soundMessage(random, mark));
      await pipeline.exec();
      slowest = Math.max(slowest, await reach(mark, false));
      sound += 1;
      sent += size;
      if (sent % LOOK_EVERY < size) say(`${sent} of ${count} messages, ${mib(heapBytes())} MiB in use`);
    }
    const growth = heapBytes() - before;
    if (growth > MAX_GROWTH_BYTES) throw new Error(`${mib(growth)} MiB more are kept than before`);
    return {
      ...{ messages: count, 'sound ones heard': sound, 'slowest one, ms': Math.round(slowest) },
      ...{
        seconds: Math.round((performance.now() - began) / 1_000),
        'lines logged': logger.lines.length,
        'memory growth, MiB': mib(growth),
      },
    };
  } finally {
    manager.disconnect();
  }
}

export const eventsFuzzer: Fuzzer = {
  name: 'events',
  what: 'broadcasts of the cluster: envelopes, bodies of both generations, MessagePack, nesting, lengths',
  fullCount: 100_000,
  run,
};
