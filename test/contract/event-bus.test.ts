import { Redis } from 'ioredis';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { EmbeddedEventBus } from '../../src/adapters/embedded/embedded-event-bus.adapter.js';
import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';
import { RedisEventBus } from '../../src/adapters/redis/redis-event-bus.adapter.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { type RedisServerUnderTest, startRedis } from '../support/redis-server.js';
import { eventBusContract, stageEvent } from './event-bus.contract.js';

const AGENT = 'i-node01';
const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');
const clock = new SystemClock();

interface Vector {
  readonly stream_fields?: Readonly<Record<string, string>>;
  readonly channel_json?: string;
}

/** Of the real library 26.9.6, generation B. */
const VECTORS = JSON.parse(
  readFileSync(new URL('../fixtures/events/generation-b.json', import.meta.url), 'utf8'),
) as readonly Vector[];

function embedded(): EmbeddedEventBus {
  return new EmbeddedEventBus({ agentId: AGENT, clock, logger: new MemoryLogger() });
}

eventBusContract('embedded', () =>
  Promise.resolve({ bus: embedded(), agentId: AGENT, close: () => Promise.resolve() }),
);

describe('with a Redis server', () => {
  let server: RedisServerUnderTest;
  let manager: Redis;
  let bus: RedisEventBus;
  const published: string[] = [];
  const gauges = { ...{ count: vi.fn(), observe: vi.fn(), gauge: vi.fn(), remove: vi.fn() } };

  const open = (queueLimit = 10_000) =>
    new RedisEventBus({
      ...{ settings: server.settings, agentId: AGENT, local: embedded(), clock, queueLimit },
      ...{ logger: new MemoryLogger(), telemetry: gauges },
    });
  const terminated = (kernel: number, exitCode: number): AgentEvent => ({
    name: 'kernel_terminated',
    body: {
      kernel_id: parseKernelId(`11111111-1111-4111-8111-${String(kernel).padStart(12, '0')}`),
      session_id: SESSION,
      reason: 'user-requested',
      exit_code: exitCode,
    },
  });
  const entries = async (): Promise<Record<string, string>[]> =>
    (await manager.xrange('events', '-', '+')).map(([, flat]) =>
      Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []))),
    );

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    const { port } = server.settings.address;
    manager = new Redis(port, '127.0.0.1', { db: 4, replyMapping: 'legacy' });
    manager.on('error', () => undefined);
    await manager.del('events');
    published.length = 0;
    bus = open();
  });
  afterEach(async () => {
    await bus[Symbol.asyncDispose]();
    manager.disconnect();
  });

  eventBusContract('redis', () => {
    const mine = open();
    return Promise.resolve({ bus: mine, agentId: AGENT, close: () => mine[Symbol.asyncDispose]() });
  });

  it('writes what the library of the reference writes, byte for byte', async () => {
    const listener = manager.duplicate();
    await listener.subscribe('events_all');
    listener.on('message', (_channel, message) => published.push(message));
    const expected = VECTORS.flatMap(({ stream_fields: fields }) => (fields === undefined ? [] : [fields]));
    for (const [index, fields] of expected.entries()) {
      await bus.announce({ name: fields['name'], body: JSON.parse(fields['payload'] ?? '') as never } as AgentEvent);
      // One at a time: of two waiting heartbeats only the newer one would go out.
      await vi.waitFor(async () => expect(await manager.xlen('events')).toBe(index + 1), 5_000);
    }
    const written = await entries();
    expect(written).toEqual(expected);
    expect(written.map((fields) => Object.keys(fields))).toEqual(expected.map((fields) => Object.keys(fields)));
    const broadcasts = VECTORS.flatMap(({ channel_json: json }) => (json === undefined ? [] : [json]));
    await vi.waitFor(() => expect([...published].sort()).toEqual([...broadcasts].sort()), 5_000);
    listener.disconnect();
  });

  it('keeps local events to itself', async () => {
    await bus.announce(stageEvent(1, 'pull'));
    await bus.announce(terminated(1, 0));
    await vi.waitFor(async () => expect(await entries()).toHaveLength(1), 5_000);
    expect((await entries())[0]).toMatchObject({ name: 'kernel_terminated' });
  });

  it('trims the stream', async () => {
    for (let n = 0; n < 600; n++) await bus.announce(terminated(n % 7, n));
    await vi.waitFor(async () => expect((await entries()).at(-1)?.['payload']).toContain('"exit_code":599'), 10_000);
    expect(await manager.xlen('events')).toBeLessThan(300);
  });

  it.each([
    ['paused', () => server.pause(), () => server.resume()],
    ['killed and started again', () => server.kill(), () => server.start()],
  ])('never waits for a server that is %s, and loses nothing in order', async (_what, away, back) => {
    await bus.announce(terminated(1, 0));
    await vi.waitFor(async () => expect(await entries()).toHaveLength(1), 5_000);
    await away();
    const slowest = await longestAnnounce(bus, 1, 61, terminated);
    await clock.sleep(1_500);
    await back();
    expect(slowest).toBeLessThan(1_000);
    await bus.announce(terminated(1, 61));
    await vi.waitFor(async () => expect((await entries()).at(-1)?.['payload']).toContain('"exit_code":61'), 15_000);
    const codes = (await entries()).map(
      ({ payload }) => (JSON.parse(payload ?? '') as { exit_code: number }).exit_code,
    );
    // At least once: one may be there twice, none may be missing or late. A killed server has forgotten the first.
    expect(new Set(codes.filter((code) => code > 0)).size).toBe(61);
    expect(codes).toEqual([...codes].sort((left, right) => left - right));
  });

  it('closes within a second or so while the server is away', async () => {
    const mine = open();
    await server.pause();
    await mine.announce(terminated(1, 1));
    const startedAt = performance.now();
    await mine[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    await server.resume();
  });
});

async function longestAnnounce(
  bus: RedisEventBus,
  from: number,
  to: number,
  event: (kernel: number, exitCode: number) => AgentEvent,
): Promise<number> {
  let longest = 0;
  for (let n = from; n < to; n++) {
    const startedAt = performance.now();
    await bus.announce(event(n % 3, n));
    longest = Math.max(longest, performance.now() - startedAt);
  }
  return longest;
}
