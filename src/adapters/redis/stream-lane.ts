import { type AgentEvent, kernelOf } from '../../domain/event/agent-event.js';
import { HARMFUL_TWICE } from '../../domain/event/event-care.js';
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
  /** By their id in the outbox, or by themselves. */
  #waiting = new Map<string | StreamItem, StreamItem>();
  /** Those of them that are in memory only, the oldest first. */
  readonly #passing = new Set<StreamItem>();
  #inStream: SentItem[] = [];

  get waiting(): number {
    return this.#waiting.size;
  }

  get inStream(): number {
    return this.#inStream.length;
  }

  /** What the stream calls those in it. */
  get idsInStream(): readonly string[] {
    return this.#inStream.map(({ streamId }) => streamId);
  }

  /** Appends. Returns the memory-only item that had to make room. */
  push(item: StreamItem): StreamItem | undefined {
    this.#waiting.set(keyOf(item), item);
    if (item.outboxId !== undefined) return undefined;
    this.#passing.add(item);
    if (this.#passing.size <= MAX_PASSING) return undefined;
    const [oldest] = this.#passing;
    if (oldest !== undefined) this.#drop(oldest);
    return oldest;
  }

  /** The oldest `count`; they stay until `sent`. What has waited too long is dropped. */
  next(count: number, nowMs: number): readonly StreamItem[] {
    for (const item of this.#passing) if (nowMs - item.atMs > MAX_PASSING_AGE_MS) this.#drop(item);
    const items: StreamItem[] = [];
    for (const item of this.#waiting.values()) {
      if (items.length >= count) break;
      items.push(item);
    }
    return items;
  }

  /** `ids` is what the stream calls them. Others may have come and gone since `next`. */
  sent(items: readonly StreamItem[], ids: readonly string[]): void {
    items.forEach((item, at) => {
      const streamId = ids[at];
      if (streamId !== undefined) this.#inStream.push({ item, streamId });
    });
    for (const item of items) this.#drop(item);
  }

  /**
   * Compares with where the readers are.
   *
   * An item that is in the stream while the group is past it was read. One that is gone while the group is not past it
   * was cut off. Gone and passed: it was read and then cut off, or cut off and then passed by. Nobody knows, so it counts
   * as lost, unless a later one of its kernel is on its way or there: that one says all that the Manager has to know, or
   * unless it would do harm to say it twice.
   *
   * `missing` are gone although later ones may be there: the server came back with what it held a while ago.
   */
  settle(position: StreamPosition, missing: ReadonlySet<string> = new Set()): Settlement {
    const judged = this.#inStream.map((sent) => ({ sent, fate: fateOf(sent.streamId, position, missing) }));
    const superseded = new Set<string>();
    const isLost = new Set<SentItem>();
    for (const { sent, fate } of judged.toReversed()) {
      const kernel = kernelOf(sent.item.event);
      const isHarmfulTwice = HARMFUL_TWICE.has(sent.item.event.name);
      const isMadeUpFor = (kernel !== undefined && superseded.has(kernel)) || isHarmfulTwice;
      const isKept = sent.item.outboxId !== undefined;
      if (isKept && (fate === 'cut' || (fate === 'unknown' && !isMadeUpFor))) isLost.add(sent);
      if (kernel !== undefined && !isHarmfulTwice) superseded.add(kernel);
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
    this.#waiting = new Map([...back.map((item) => [keyOf(item), item] as const), ...this.#waiting]);
  }

  /** Nobody has to be told of them any more. */
  forget(outboxIds: ReadonlySet<string>): void {
    for (const id of outboxIds) this.#waiting.delete(id);
    const isKept = ({ outboxId }: StreamItem) => outboxId === undefined || !outboxIds.has(outboxId);
    this.#inStream = this.#inStream.filter(({ item }) => isKept(item));
  }

  #drop(item: StreamItem): void {
    this.#waiting.delete(keyOf(item));
    this.#passing.delete(item);
  }
}

function keyOf(item: StreamItem): string | StreamItem {
  return item.outboxId ?? item;
}

function fateOf(
  id: string,
  { lastDelivered, first }: StreamPosition,
  missing: ReadonlySet<string>,
): 'read' | 'unread' | 'cut' | 'unknown' {
  const isGone = first === undefined || compareStreamIds(id, first) < 0 || missing.has(id);
  const isPassed = lastDelivered !== undefined && compareStreamIds(id, lastDelivered) <= 0;
  if (isGone) return isPassed ? 'unknown' : 'cut';
  return isPassed ? 'read' : 'unread';
}
