import { type AgentEvent, kernelOf } from '../../domain/event/agent-event.js';
import { compareStreamIds, type StreamPosition } from './stream-position.js';

/** An event on its way into the stream. */
export interface StreamItem {
  readonly event: AgentEvent;
  readonly atMs: number;
  /** Of its entry in the outbox; without one it is sent once and not missed. */
  readonly outboxId?: string;
  /** It was in the stream before, and whoever listens to the channel has heard it. */
  readonly isRepeated?: boolean;
}

export interface SentItem {
  readonly item: StreamItem;
  readonly streamId: string;
}

/** What became of the items in the stream. */
export interface Settlement {
  readonly delivered: readonly StreamItem[];
  /** Cut off before anybody read it, or nobody knows: they have to be sent again. */
  readonly lost: readonly SentItem[];
  /** In the stream behind a lost one: they have to be taken out and sent again after it. */
  readonly overtaking: readonly SentItem[];
}

/** Memory-only items that may wait. */
const MAX_PASSING = 256;
/** Who hears of it later than that hears something wrong: "this session is active now". */
const MAX_PASSING_AGE_MS = 60_000;

/**
 * First in, first out, in two parts: what waits, and what is in the stream and not yet known to be delivered. It decides
 * what has to be sent again; it sends nothing itself.
 */
export class StreamLane {
  #waiting: StreamItem[] = [];
  #inStream: SentItem[] = [];
  #passing = 0;

  get waiting(): number {
    return this.#waiting.length;
  }

  get inStream(): number {
    return this.#inStream.length;
  }

  get idsInStream(): readonly string[] {
    return this.#inStream.map(({ streamId }) => streamId);
  }

  /** Appends. Returns the memory-only item that had to make room. */
  push(item: StreamItem): StreamItem | undefined {
    this.#waiting.push(item);
    if (item.outboxId !== undefined) return undefined;
    if (++this.#passing <= MAX_PASSING) return undefined;
    const index = this.#waiting.findIndex(({ outboxId }) => outboxId === undefined);
    this.#passing--;
    return this.#waiting.splice(index, 1)[0];
  }

  /** The oldest `count`; they stay until `sent`. What has waited too long is dropped. */
  next(count: number, nowMs: number): readonly StreamItem[] {
    const isOver = ({ outboxId, atMs }: StreamItem) => outboxId === undefined && nowMs - atMs > MAX_PASSING_AGE_MS;
    if (this.#passing > 0) this.#replaceWaiting(this.#waiting.filter((item) => !isOver(item)));
    return this.#waiting.slice(0, count);
  }

  /** `ids` is what the stream calls them. Others may have come and gone since `next`. */
  sent(items: readonly StreamItem[], ids: readonly string[]): void {
    items.forEach((item, at) => {
      const streamId = ids[at];
      if (streamId !== undefined) this.#inStream.push({ item, streamId });
    });
    const isSent = new Set(items);
    this.#replaceWaiting(this.#waiting.filter((item) => !isSent.has(item)));
  }

  /**
   * Compares with where the readers are. `forgotten` are ids that a server does not have any more, as one that is older
   * than what was told to the one before it.
   *
   * An item that is in the stream while the group is past it was read. One that is gone while the group is not past it
   * was cut off. Gone and passed: it was read and then cut off, or cut off and then passed by. Nobody knows, so it counts
   * as lost, unless a later one of its kernel is on its way or there: that one says all that the Manager has to know.
   */
  settle(position: StreamPosition, forgotten: ReadonlySet<string> = new Set()): Settlement {
    const judged = this.#inStream.map((sent) => ({
      ...{ sent, fate: fateOf(sent.streamId, position, forgotten.has(sent.streamId)) },
    }));
    const superseded = new Set<string>();
    const isLost = new Set<SentItem>();
    for (const { sent, fate } of judged.toReversed()) {
      const kernel = kernelOf(sent.item.event);
      const isMadeUpFor = kernel !== undefined && superseded.has(kernel);
      const isKept = sent.item.outboxId !== undefined;
      if (isKept && (fate === 'cut' || (fate === 'unknown' && !isMadeUpFor))) isLost.add(sent);
      if (kernel !== undefined) superseded.add(kernel);
    }
    const staying = judged.filter(({ fate }) => fate === 'unread').map(({ sent }) => sent);
    // A group that is made anew begins behind what is there now.
    const overtaking = isLost.size > 0 || position.lastDelivered === undefined ? staying : [];
    const lost = judged.flatMap(({ sent }) => (isLost.has(sent) ? [sent] : []));
    const isOpen = new Set([...lost, ...staying]);
    const delivered = this.#inStream.filter((sent) => !isOpen.has(sent)).map(({ item }) => item);
    this.#inStream = this.#inStream.filter((sent) => isOpen.has(sent));
    return { delivered, lost, overtaking };
  }

  /** Those are not in the stream any more and wait again, in front and in their order. */
  takeBack(items: ReadonlySet<StreamItem>): void {
    const back = this.#inStream.flatMap(({ item }) =>
      items.has(item) && item.outboxId !== undefined ? [{ ...item, isRepeated: true }] : [],
    );
    this.#inStream = this.#inStream.filter(({ item }) => !items.has(item));
    this.#replaceWaiting([...back, ...this.#waiting]);
  }

  /** Nobody has to be told of them any more. */
  forget(outboxIds: ReadonlySet<string>): void {
    const isKept = ({ outboxId }: StreamItem) => outboxId === undefined || !outboxIds.has(outboxId);
    this.#replaceWaiting(this.#waiting.filter(isKept));
    this.#inStream = this.#inStream.filter(({ item }) => isKept(item));
  }

  #replaceWaiting(waiting: StreamItem[]): void {
    this.#waiting = waiting;
    this.#passing = waiting.filter(({ outboxId }) => outboxId === undefined).length;
  }
}

function fateOf(
  id: string,
  { lastDelivered, first }: StreamPosition,
  isForgotten: boolean,
): 'read' | 'unread' | 'cut' | 'unknown' {
  const isGone = isForgotten || first === undefined || compareStreamIds(id, first) < 0;
  const isPassed = lastDelivered !== undefined && compareStreamIds(id, lastDelivered) <= 0;
  if (isGone) return isPassed ? 'unknown' : 'cut';
  return isPassed ? 'read' : 'unread';
}
