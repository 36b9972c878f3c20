import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedEventBus } from '../../src/adapters/embedded/embedded-event-bus.adapter.js';
import { FileOutbox } from '../../src/adapters/host/file-outbox.adapter.js';
import { SystemIdGenerator } from '../../src/adapters/host/system-id-generator.adapter.js';
import type { EventWire } from '../../src/adapters/redis/event-courier.js';
import { RedisEventBus } from '../../src/adapters/redis/redis-event-bus.adapter.js';
import type { RedisSettings } from '../../src/adapters/redis/redis-settings.js';
import type { Outbox, PutEvent } from '../../src/application/ports/outbox.port.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { type KernelId, parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';
import type { TerminationReason } from '../../src/domain/kernel/termination-reason.js';
import { silentTelemetry } from './fake-node.js';
import { MemoryLogger } from './memory-logger.js';
import { realClock } from './real-clock.js';

export const AGENT_ID = 'i-node01';
const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');

/** A real event bus with a real outbox. */
export interface EventSender {
  readonly bus: RedisEventBus;
  readonly outbox: FileOutbox;
  readonly logger: MemoryLogger;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface EventSenderOptions {
  readonly wire?: EventWire;
  /** File of the outbox; one of its own, removed at the end, if none is given. */
  readonly path?: string;
}

export async function openSender(settings: RedisSettings, options: EventSenderOptions = {}): Promise<EventSender> {
  const folder = options.path === undefined ? await mkdtemp(join(tmpdir(), 'event-sender-')) : undefined;
  const path = options.path ?? join(folder ?? '', 'outbox');
  const logger = new MemoryLogger();
  const tools = { clock: realClock, logger, telemetry: silentTelemetry };
  const outbox = await FileOutbox.open({ path, ids: new SystemIdGenerator(), ...tools });
  const bus = new RedisEventBus({
    ...{ settings, outbox, wire: options.wire ?? 'B', ...tools },
    sender: { agentId: AGENT_ID, resourceGroup: 'default', rpcAddress: 'tcp://10.0.0.5:6001' },
    local: new EmbeddedEventBus({ agentId: AGENT_ID, ...tools }),
  });
  return {
    ...{ bus, outbox, logger },
    [Symbol.asyncDispose]: async () => {
      await bus[Symbol.asyncDispose]();
      await outbox[Symbol.asyncDispose]();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Puts events in; resolves when all of them are stored. */
export async function putAll(
  outbox: Outbox,
  events: readonly AgentEvent[],
): Promise<readonly (PutEvent | undefined)[]> {
  const puts = events.map((event) => outbox.put(event));
  await Promise.all(puts.flatMap((put) => (put === undefined ? [] : [put.stored])));
  return puts;
}

export function kernelNumber(number: number): KernelId {
  return parseKernelId(`11111111-1111-4111-8111-${String(number).padStart(12, '0')}`);
}

export function preparing(number: number): AgentEvent {
  return { name: 'kernel_preparing', body: { kernel_id: kernelNumber(number), session_id: SESSION, reason: '' } };
}

export function creating(number: number): AgentEvent {
  return { name: 'kernel_creating', body: { kernel_id: kernelNumber(number), session_id: SESSION, reason: '' } };
}

export function terminated(number: number, reason: TerminationReason = 'user-requested', exitCode = -1): AgentEvent {
  const body = { kernel_id: kernelNumber(number), session_id: SESSION, reason, exit_code: exitCode };
  return { name: 'kernel_terminated', body };
}

/** The life of a kernel in three events. */
export function lifeOf(number: number): readonly AgentEvent[] {
  return [preparing(number), creating(number), terminated(number)];
}
