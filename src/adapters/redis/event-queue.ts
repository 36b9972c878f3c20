import type { AgentEventName } from '../../domain/event/agent-event.js';

/** An event on its way to the server. */
export interface WaitingEvent {
  readonly name: AgentEventName;
  readonly anycast: boolean;
  readonly broadcast: boolean;
  readonly fields: readonly string[];
  readonly channelText: string;
}

/** Events whose loss a Manager cannot make up for: given up last. */
const PRECIOUS: ReadonlySet<AgentEventName> = new Set(['kernel_started', 'kernel_terminated']);

/**
 * First in, first out, with an upper bound. Of heartbeats only the newest waits: an old one would revive an agent that
 * has ended since (W-E5 of state.md §10), and a burst of them would push others' events out of the stream (W-E2).
 */
export class EventQueue {
  readonly #limit: number;
  #waiting: WaitingEvent[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** The oldest; it stays in the queue until `shift`. */
  get first(): WaitingEvent | undefined {
    return this.#waiting[0];
  }

  /** Appends, and returns the event that had to make room. */
  push(event: WaitingEvent): WaitingEvent | undefined {
    if (event.name === 'agent_heartbeat') {
      // The first one may be under way.
      this.#waiting = this.#waiting.filter(({ name }, index) => index === 0 || name !== 'agent_heartbeat');
    }
    this.#waiting.push(event);
    return this.#waiting.length > this.#limit ? this.#giveUpOne() : undefined;
  }

  shift(): void {
    this.#waiting.shift();
  }

  #giveUpOne(): WaitingEvent | undefined {
    const index = this.#waiting.findIndex(({ name }, position) => position > 0 && !PRECIOUS.has(name));
    return this.#waiting.splice(index === -1 ? 1 : index, 1)[0];
  }
}
