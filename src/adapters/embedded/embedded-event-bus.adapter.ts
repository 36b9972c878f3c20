import { messageOf } from '../../domain/error/agent-error.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { AnnouncedEvent, EventBus } from '../../application/ports/event-bus.port.js';
import type { Logger } from '../../application/ports/logger.port.js';

export interface EmbeddedEventBusOptions {
  readonly agentId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How many events a late watcher can still get; at least 1,000. */
  readonly capacity?: number;
}

interface Subscription {
  readonly listener: (event: AnnouncedEvent) => void;
  /** Id of the newest event that this listener was given. */
  cursor: number;
}

/** The least that the port promises to keep. */
const MIN_CAPACITY = 1_000;

/**
 * The event bus of one process: a ring of the newest events and listeners that read it each at a cursor of their own,
 * so that all of them see the same order, also when a listener announces or subscribes while it is being called.
 *
 * The first id is the wall-clock time at start in milliseconds: ids of a restarted agent are above those of its
 * predecessor, and a watcher that resumes after the restart gets everything since.
 */
export class EmbeddedEventBus implements EventBus {
  readonly #agentId: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ring: (AnnouncedEvent | undefined)[];
  readonly #firstId: number;
  readonly #subscriptions = new Set<Subscription>();
  #newestId: number;
  #delivering = false;

  constructor(options: EmbeddedEventBusOptions) {
    this.#agentId = options.agentId;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#ring = Array.from({ length: Math.max(options.capacity ?? 2_000, MIN_CAPACITY) });
    this.#firstId = Math.max(1, Math.floor(options.clock.now()));
    this.#newestId = this.#firstId - 1;
  }

  announce(event: AgentEvent): Promise<void> {
    const id = ++this.#newestId;
    this.#ring[id % this.#ring.length] = { id, timestampMs: this.#clock.now(), source: this.#agentId, event };
    this.#deliver();
    return Promise.resolve();
  }

  subscribe(listener: (event: AnnouncedEvent) => void, since?: number): Disposable {
    const subscription: Subscription = { listener, cursor: Math.min(since ?? this.#newestId, this.#newestId) };
    this.#subscriptions.add(subscription);
    this.#deliver();
    return { [Symbol.dispose]: () => void this.#subscriptions.delete(subscription) };
  }

  /** Brings every listener up to the newest event; a nested call leaves that to the outer one. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#oneRound());
    } finally {
      this.#delivering = false;
    }
  }

  #oneRound(): boolean {
    let delivered = false;
    for (const subscription of this.#subscriptions) {
      while (this.#subscriptions.has(subscription) && subscription.cursor < this.#newestId) {
        const oldestId = Math.max(this.#firstId, this.#newestId - this.#ring.length + 1);
        subscription.cursor = Math.max(subscription.cursor + 1, oldestId);
        const event = this.#ring[subscription.cursor % this.#ring.length];
        if (event !== undefined) this.#call(subscription.listener, event);
        delivered = true;
      }
    }
    return delivered;
  }

  #call(listener: (event: AnnouncedEvent) => void, event: AnnouncedEvent): void {
    try {
      listener(event);
    } catch (error) {
      this.#logger.warn('an event listener failed', { event: event.event.name, error: messageOf(error) });
    }
  }
}
