import { Redis } from 'ioredis';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { EmbeddedEventBus } from '../../src/adapters/embedded/embedded-event-bus.adapter.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { AGENT_ID, creating, type EventSender, openSender, preparing, terminated } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { realClock } from '../support/real-clock.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';
import { eventBusContract, stageEvent } from './event-bus.contract.js';

interface Vector {
  readonly event: AgentEvent['name'];
  readonly generation: string;
  readonly direction: string;
  readonly stream_fields?: Readonly<Record<string, string>>;
  readonly channel_json?: string;
  readonly cache_key?: string;
}

/** Of the real library 26.9.6, generation B. */
const VECTORS = (
  JSON.parse(readFileSync(new URL('../fixtures/events/vectors.json', import.meta.url), 'utf8')) as readonly Vector[]
).filter(({ generation, direction }) => generation === 'B' && direction === 'from agent');

eventBusContract('embedded', () =>
  Promise.resolve({
    bus: new EmbeddedEventBus({ agentId: AGENT_ID, clock: realClock, logger: new MemoryLogger() }),
    agentId: AGENT_ID,
    close: () => Promise.resolve(),
  }),
);

describe('with a Redis server', () => {
  let server: RedisHost;
  let client: Redis;
  let sender: EventSender;

  const heartbeat = (version: string): AgentEvent => {
    const vector = VECTORS.find(({ event }) => event === 'agent_heartbeat');
    const body = JSON.parse(vector?.stream_fields?.['payload'] ?? '') as { agent_info: object };
    return { name: 'agent_heartbeat', body: { agent_info: { ...body.agent_info, version } as never } };
  };
  const entries = async (): Promise<Record<string, string>[]> =>
    (await client.xrange('events', '-', '+')).map(([, flat]) =>
      Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? '']] : []))),
    );
  const namesOf = async (): Promise<string[]> => (await entries()).map((fields) => fields['name'] ?? '');
  const listen = async (): Promise<string[]> => {
    const messages: string[] = [];
    const listener = client.duplicate();
    await listener.subscribe('events_all');
    listener.on('message', (_channel, message) => messages.push(message));
    return messages;
  };

  beforeAll(async () => {
    server = await startRedisHost();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    client = new Redis(server.port, '127.0.0.1', { db: 4, replyMapping: 'legacy' });
    await client.flushall();
    sender = await openSender(server);
  });
  afterEach(async () => {
    await sender[Symbol.asyncDispose]();
    client.disconnect();
  });

  eventBusContract('redis', async () => {
    const mine = await openSender(server);
    return { bus: mine.bus, agentId: AGENT_ID, close: () => mine[Symbol.asyncDispose]() };
  });

  it('writes what the library of the reference writes, byte for byte', async () => {
    await using manager = new ManagerReader(server);
    await manager.begun;
    const published = await listen();
    // After its last word an agent tells nothing of itself.
    const isLast = ({ event }: Vector) => event === 'agent_terminated';
    const sent = VECTORS.filter(({ stream_fields: fields }) => fields !== undefined).sort(
      (left, right) => Number(isLast(left)) - Number(isLast(right)),
    );
    for (const [index, { event, stream_fields: fields }] of sent.entries()) {
      // Of one kernel each: nothing is told of a kernel after its end.
      const body = JSON.parse((fields?.['payload'] ?? '').replace('"11111111-', `"${10_000_000 + index}-`)) as never;
      await sender.bus.announce({ name: event, body } as AgentEvent);
      // One at a time: of two waiting heartbeats only the newer one would go out.
      await vi.waitFor(() => expect(manager.read).toHaveLength(index + 1), 5_000);
    }
    const written = manager.read.map(({ fields: { payload, ...fields } }) => ({
      payload: payload?.replace(/"1\d{7}-1111/, '"11111111-1111'),
      ...fields,
    }));
    expect(written).toEqual(sent.map(({ stream_fields: fields }) => fields));
    expect(manager.read.map(({ fields }) => Object.keys(fields))).toEqual(
      sent.map(({ stream_fields: fields }) => Object.keys(fields ?? {})),
    );
    const both = VECTORS.filter(({ event, channel_json: json }) => json && sent.some((other) => other.event === event));
    await vi.waitFor(() => expect(published).toHaveLength(both.length), 5_000);
    const same = (text: string) => text.replace(/\\"1\d{7}-1111/, '\\"11111111-1111');
    expect(published.map(same).sort()).toEqual(both.map(({ channel_json: json }) => json).sort());
  });

  it('broadcasts how a task goes, keeps the newest word of it for latecomers, and forgets it when it was said', async () => {
    const published = await listen();
    const tasks = VECTORS.filter(({ cache_key: key }) => key !== undefined);
    for (const [at, { event, channel_json: json }] of tasks.entries()) {
      const { payload } = JSON.parse(json ?? '') as { payload: string };
      await sender.bus.announce({ name: event, body: JSON.parse(payload) as never } as AgentEvent);
      await vi.waitFor(() => expect(published).toHaveLength(at + 1), 5_000);
      expect(await client.get(tasks[at]?.cache_key ?? '')).toBe(json);
      expect(await client.ttl(tasks[at]?.cache_key ?? '')).toBeGreaterThan(290);
    }
    expect(published).toEqual(tasks.map(({ channel_json: json }) => json));
    await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), 5_000);
  });

  it('keeps local events to itself', async () => {
    await using manager = new ManagerReader(server);
    await sender.bus.announce(stageEvent(1, 'pull'));
    await sender.bus.announce(terminated(1));
    await vi.waitFor(() => expect(manager.read).toHaveLength(1), 5_000);
    expect(manager.read[0]?.fields['name']).toBe('kernel_terminated');
  });

  it('waits for a Manager with what must not be missed; tells how the agent is meanwhile', async () => {
    await sender.bus.announce(terminated(1));
    await sender.bus.announce(heartbeat('1'));
    await vi.waitFor(async () => expect(await namesOf()).toEqual(['agent_heartbeat']), 5_000);
    expect(sender.outbox.waiting()).toHaveLength(1);
    await using manager = new ManagerReader(server);
    await vi.waitFor(() => expect(manager.payloads('kernel_terminated')).toHaveLength(1), 10_000);
    await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), 5_000);
  });

  it('sends again, in order, what was cut off before a Manager read it', async () => {
    await client.xgroup('CREATE', 'events', 'manager', '$', 'MKSTREAM');
    for (const event of [preparing(1), creating(1), preparing(2)]) await sender.bus.announce(event);
    await vi.waitFor(async () => expect(await client.xlen('events')).toBe(3), 5_000);
    // Others write so much that the first of them is gone.
    await client.xtrim('events', 'MAXLEN', 2);
    await sender.bus.announce(terminated(1));
    await vi.waitFor(async () => expect(await namesOf()).toHaveLength(4), 5_000);
    await using manager = new ManagerReader(server);
    await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), 10_000);
    expect(manager.read.map(({ fields }) => fields['name'])).toEqual([
      ...['kernel_preparing', 'kernel_creating', 'kernel_preparing', 'kernel_terminated'],
    ]);
  });

  it('sends again what is in the stream when the group is made anew behind it', async () => {
    await client.xgroup('CREATE', 'events', 'manager', '$', 'MKSTREAM');
    await sender.bus.announce(preparing(1));
    await vi.waitFor(async () => expect(await client.xlen('events')).toBe(1), 5_000);
    await client.xgroup('DESTROY', 'events', 'manager');
    // Looked for at least once a second.
    await vi.waitFor(async () => expect(await client.xlen('events')).toBe(0), 5_000);
    await using manager = new ManagerReader(server);
    await vi.waitFor(() => expect(manager.payloads('kernel_preparing')).toHaveLength(1), 10_000);
  });

  it('leaves the stream alone while its readers are far behind', async () => {
    await client.xgroup('CREATE', 'events', 'manager', '$', 'MKSTREAM');
    for (let n = 0; n < 120; n++)
      await client.xadd('events', '*', 'name', 'tick', 'source', 'manager', 'payload', '{}');
    for (let n = 0; n < 100; n++) await sender.bus.announce(terminated(n));
    await realClock.sleep(1_000);
    // A few at once, before it has looked.
    expect(await client.xlen('events')).toBeLessThanOrEqual(128);
    await using manager = new ManagerReader(server);
    await vi.waitFor(() => expect(manager.payloads('kernel_terminated')).toHaveLength(100), 10_000);
    expect(manager.payloads('tick')).toHaveLength(120);
  });

  it('sends only the newest heartbeat, past everything that waits, and none after the last word', async () => {
    await server.signal('SIGSTOP');
    const work = [terminated(1), heartbeat('1'), heartbeat('2'), heartbeat('3')].map((event) =>
      sender.bus.announce(event),
    );
    await Promise.all(work);
    await realClock.sleep(1_200);
    await server.signal('SIGCONT');
    await vi.waitFor(async () => expect((await entries()).at(-1)?.['payload']).toContain('"version":"3"'), 10_000);
    expect((await entries()).some(({ payload }) => payload?.includes('"version":"2"'))).toBe(false);
    await sender.bus.announce({ name: 'agent_terminated', body: { reason: 'shutdown' } });
    await sender.bus.announce(heartbeat('4'));
    await vi.waitFor(async () => expect((await namesOf()).at(-1)).toBe('agent_terminated'), 5_000);
    await realClock.sleep(200);
    expect((await namesOf()).at(-1)).toBe('agent_terminated');
  });

  it.each([
    ['payload', 'B'],
    ['args', 'A'],
  ])('speaks as Managers do that write %s, and so that all understand it while that is not clear', async (body) => {
    await using mine = await openSender(server, { wire: 'auto' });
    await mine.bus.announce(heartbeat('1'));
    await vi.waitFor(async () => expect(await client.xlen('events')).toBe(1), 5_000);
    expect(Object.keys((await entries())[0] ?? {})).toEqual(['name', 'source', 'args', 'payload']);
    await client.xadd('events', '*', 'name', 'do_schedule', 'source', 'manager', body, 'x');
    await using other = await openSender(server, { wire: 'auto' });
    await other.bus.announce(heartbeat('2'));
    await vi.waitFor(async () => expect(await client.xlen('events')).toBe(3), 5_000);
    const fields = Object.keys((await entries())[2] ?? {});
    expect(fields).toEqual(['name', 'source', body, ...(body === 'payload' ? ['metadata'] : [])]);
  });

  it('closes within a second or so while the server is away', async () => {
    const mine = await openSender(server);
    await server.signal('SIGSTOP');
    await mine.bus.announce(terminated(1));
    const startedAt = performance.now();
    await mine[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(3_500);
    await server.signal('SIGCONT');
  });
});
