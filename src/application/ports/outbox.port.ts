import type { AgentEvent } from '../../domain/event/agent-event.js';

/** An event that waits until it is delivered. */
export interface OutboxEntry {
  /** Never used twice, also not by another life of this agent. */
  readonly id: string;
  /** When it was announced, in milliseconds since 1970. */
  readonly atMs: number;
  readonly event: AgentEvent;
}

export interface PutEvent {
  readonly entry: OutboxEntry;
  /**
   * Resolves, never rejects, when the entry outlives the process, and in the order of the calls. While the disk can't
   * take it (full, broken, slower than half a second) it resolves as well: the entry is then in memory and is written as
   * soon as that works.
   */
  readonly stored: Promise<void>;
  /** What had to make room: the oldest that can be missed. */
  readonly givenUp: readonly OutboxEntry[];
}

export interface OutboxBacklog {
  readonly entries: number;
  /** When the oldest was announced, in milliseconds since 1970. */
  readonly oldestAtMs: number | undefined;
}

/**
 * Durable queue of what must reach the Manager.
 *
 * Promise: what was stored is there after the process died at any moment, in order, until it is removed. The end of a
 * kernel is taken once, and nothing of a kernel after its end; both are remembered over restarts (EndedKernels).
 */
export interface Outbox {
  /** The oldest first; of earlier lives as well. */
  waiting(): readonly OutboxEntry[];
  /** How much waits: what `waiting` would tell, without a copy of it. */
  backlog(): OutboxBacklog;
  /** Takes an event over, at once. `undefined`: it must not be told (again). */
  put(event: AgentEvent): PutEvent | undefined;
  /** They are delivered. Resolves, never rejects, when a restart will not bring them back. */
  remove(ids: readonly string[]): Promise<void>;
}
