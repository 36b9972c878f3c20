import type { AgentEvent } from '../../domain/event/agent-event.js';

/** An event as it left: numbered and stamped, so that a watcher can resume. */
export interface AnnouncedEvent {
  /** Grows by one with each event of this agent process. */
  readonly id: number;
  readonly timestampMs: number;
  /** The agent id. */
  readonly source: string;
  readonly event: AgentEvent;
}

/**
 * The way out for everything that others must know.
 *
 * Promise: what a Manager must not miss (`careOf`) is delivered at least once, in order per kernel, its end once and
 * nothing after it, whatever becomes of the peer or of this process. `announce` returns when the bus has taken
 * responsibility, waits for no peer and for a disk half a second at most, and never throws for either.
 */
export interface EventBus {
  announce(event: AgentEvent): Promise<void>;
  /**
   * Calls `listener` for each event from now on, and first for those after id `since` that are still in the ring
   * buffer (at least the last 1,000). A listener that throws is logged and kept.
   */
  subscribe(listener: (event: AnnouncedEvent) => void, since?: number): Disposable;
}

export const EventBus = Symbol('EventBus');
