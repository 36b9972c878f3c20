import { type AgentEvent, DELIVERY } from '../../domain/event/agent-event.js';

/** An event on its way to the channel alone. */
export interface BroadcastItem {
  readonly event: AgentEvent;
  readonly outboxId?: string;
}

/** Memory-only items that may wait. */
const MAX_PASSING = 256;

/** Where the newest word on a background task is kept for those who ask later (state.md §6). */
export function cacheKeyOf({ name, body }: AgentEvent): string | undefined {
  return DELIVERY[name] === 'cached' && 'task_id' in body ? `bgtask.${body.task_id}` : undefined;
}

/** First in, first out. Of the progress of a task only the newest waits. */
export class BroadcastLane {
  #waiting: readonly BroadcastItem[] = [];

  get waiting(): readonly BroadcastItem[] {
    return this.#waiting;
  }

  /** Returns the memory-only item that had to make room. */
  push(item: BroadcastItem): BroadcastItem | undefined {
    const isOutdated = ({ event }: BroadcastItem) =>
      event.name === 'bgtask_updated' &&
      item.event.name === 'bgtask_updated' &&
      event.body.task_id === item.event.body.task_id;
    this.#waiting = [...this.#waiting.filter((other) => !isOutdated(other)), item];
    const passing = this.#waiting.filter(({ outboxId }) => outboxId === undefined);
    const [oldest] = passing;
    if (passing.length <= MAX_PASSING || oldest === undefined) return undefined;
    this.#waiting = this.#waiting.filter((other) => other !== oldest);
    return oldest;
  }

  remove(items: ReadonlySet<BroadcastItem>): void {
    this.#waiting = this.#waiting.filter((item) => !items.has(item));
  }

  forget(outboxIds: ReadonlySet<string>): void {
    this.#waiting = this.#waiting.filter(({ outboxId }) => outboxId === undefined || !outboxIds.has(outboxId));
  }
}
