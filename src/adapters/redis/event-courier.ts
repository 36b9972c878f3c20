import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Outbox, OutboxEntry } from '../../application/ports/outbox.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { type AgentEvent, type AgentEventName, DELIVERY } from '../../domain/event/agent-event.js';
import { BroadcastLane, cacheKeyOf } from './broadcast-lane.js';
import type { EventStream } from './event-stream.js';
import { type StreamItem, StreamLane } from './stream-lane.js';
import type { StreamPosition } from './stream-position.js';
import { Wakeup } from './wakeup.js';
import { decideGeneration } from './wire/decide-generation.js';
import { toEnvelope, type WireGeneration } from './wire/envelope.js';
import type { Sender } from './wire/sender.js';

/** `auto`: as the Managers speak, or so that all of them understand it. */
export type EventWire = WireGeneration | 'auto';

export interface EventCourierOptions {
  readonly stream: EventStream;
  readonly isConnected: () => boolean;
  readonly sender: Sender;
  readonly wire: EventWire;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/** Own entries that the Managers have not read: far below the length at which the stream is cut. */
const WINDOW = 48;
/** Above so many unread entries of everybody we add none: the stream is cut at 128 or more. */
const SAFE_LAG = 96;
/** What goes out at once, before the readers have been looked at. */
const FIRST_BURST = 8;
const BATCH = 16;
const FRESH_MS = 250;
const FIRST_CHECK_MS = 20;
const SLOWEST_CHECK_MS = 1_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;
const DECISION_MS = 10_000;
const FLUSH_MS = 1_000;
const FLUSH_STEP_MS = 10;

/**
 * The one sender of this agent's events.
 *
 * The stream is short and shared by the whole cluster: whoever reads slowly loses the oldest entries (state.md §2.1). So
 * an entry goes out at once, but only a window of them is in the stream at a time; the courier looks where the readers
 * are, takes what they were given out of the outbox, and sends again what was cut off before. Without readers nothing
 * that must not be missed is sent: a group that is made later begins behind it.
 */
export class EventCourier implements AsyncDisposable {
  readonly #options: EventCourierOptions;
  readonly #stream = new StreamLane();
  readonly #channel = new BroadcastLane();
  /** How the agent is: the newest of each name, in order. */
  readonly #words = new Map<AgentEventName, AgentEvent>();
  readonly #wakeup: Wakeup;
  readonly #running: Promise<void>;
  #isStopped = false;
  #isEnding = false;
  /** Whether the stream has no room for what waits; nothing but a look at the readers makes some. */
  #isFull = false;
  /** Whether what is in the stream has to be looked for: a server that was restarted has what it had saved. */
  #isInDoubt = false;
  #position: StreamPosition | undefined;
  #unreadSinceCheck = 0;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #checkDelayMs = FIRST_CHECK_MS;
  #retryMs = FIRST_RETRY_MS;
  #trouble: string | undefined;
  #generation: WireGeneration | undefined;
  #decidedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EventCourierOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    for (const entry of options.outbox.waiting()) this.#take(entry.event, entry.atMs, entry.id);
    this.#running = this.#run();
  }

  /** An event of the outbox; they are sent in the order of the calls. */
  deliver({ id, atMs, event }: OutboxEntry): void {
    this.#take(event, atMs, id);
  }

  /** An event that is not missed if it can't be sent soon. */
  mention(event: AgentEvent): void {
    this.#take(event, this.#options.clock.now());
  }

  /** How the agent is now. After its last word there is no other (W-E5 of state.md §10). */
  state(event: AgentEvent): void {
    if (this.#isEnding) return;
    if (event.name === 'agent_terminated') {
      this.#isEnding = true;
      this.#words.clear();
    }
    this.#words.delete(event.name);
    this.#words.set(event.name, event);
    this.#wakeup.work();
  }

  /** The outbox gave them up. */
  forget(outboxIds: readonly string[]): void {
    this.#stream.forget(new Set(outboxIds));
    this.#channel.forget(new Set(outboxIds));
  }

  /** The connection is there (again): of a server that may hold less than before. */
  connected(): void {
    this.#isInDoubt = true;
    this.#wakeup.now();
  }

  /** Gives what can be sent one more second. What must not be missed is in the outbox and is sent by the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock } = this.#options;
    const until = clock.monotonic() + FLUSH_MS;
    while (!this.#isFlushed() && clock.monotonic() < until) await clock.sleep(FLUSH_STEP_MS);
    this.#isStopped = true;
    this.#wakeup.now();
    await this.#running;
  }

  #take(event: AgentEvent, atMs: number, outboxId?: string): void {
    const item = { event, atMs, ...(outboxId === undefined ? {} : { outboxId }) };
    const delivery = DELIVERY[event.name];
    const lane = delivery === 'broadcast' || delivery === 'cached' ? this.#channel : this.#stream;
    const dropped = lane.push(item);
    if (dropped) this.#count('backendai_agent_events_dropped', dropped.event);
    if (lane === this.#channel || !this.#isFull) this.#wakeup.work();
  }

  #isFlushed(): boolean {
    const isReadable = this.#position?.lastDelivered !== undefined;
    const isStreamDone = !isReadable || this.#stream.waiting + this.#stream.inStream === 0;
    return this.#words.size === 0 && this.#channel.waiting.length === 0 && isStreamDone;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const nextMs = await this.#round();
        this.#wellAgain();
        this.#measure();
        await this.#wakeup.wait(nextMs);
      } catch (error) {
        this.#tellTrouble(error);
        this.#measure();
        await this.#wakeup.waitOut(this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
      }
    }
  }

  /** Sends what can be sent. Returns after how many milliseconds to look again; undefined: when there is something new. */
  async #round(): Promise<number | undefined> {
    const hasWork = this.#words.size + this.#channel.waiting.length + this.#stream.waiting + this.#stream.inStream > 0;
    if (!hasWork) return undefined;
    if (!this.#options.isConnected()) throw new Error('there is no connection to redis');
    await this.#sendWords();
    await this.#sendBroadcasts();
    const { clock } = this.#options;
    const isDue = this.#isInDoubt || clock.monotonic() - this.#checkedAtMs >= this.#checkDelayMs;
    const isBlind = this.#position?.lastDelivered === undefined;
    if ((this.#stream.inStream > 0 || (isBlind && this.#stream.waiting > 0)) && isDue) await this.#check();
    await this.#fill();
    this.#isFull = this.#stream.waiting > 0;
    if (this.#stream.waiting + this.#stream.inStream === 0) return undefined;
    return Math.max(0, this.#checkedAtMs + this.#checkDelayMs - clock.monotonic());
  }

  async #sendWords(): Promise<void> {
    if (this.#words.size === 0) return;
    const { sender, stream } = this.#options;
    const wire = await this.#wire();
    for (const [name, event] of this.#words) {
      const envelope = toEnvelope(event, sender, wire);
      await stream.add([{ outboxId: undefined, envelope, isPublished: false }]);
      if (this.#words.get(name) === event) this.#words.delete(name);
      this.#count('backendai_agent_events_sent', event);
    }
  }

  async #sendBroadcasts(): Promise<void> {
    const items = this.#channel.waiting;
    if (items.length === 0) return;
    const { sender, stream } = this.#options;
    const wire = await this.#wire();
    const messages = items.map(({ event }) => {
      const cacheKey = cacheKeyOf(event);
      const text = toEnvelope(event, sender, wire).channelText();
      return { text, ...(cacheKey === undefined ? {} : { cacheKey }) };
    });
    const isOut = await stream.publish(messages);
    // A broadcast has no memory: what could not be sent now is worth nothing later, except the end of a task.
    const over = items.filter(({ outboxId }, at) => isOut[at] === true || outboxId === undefined);
    this.#channel.remove(new Set(over));
    await this.#options.outbox.remove(over.flatMap(({ outboxId }) => (outboxId === undefined ? [] : [outboxId])));
    items.forEach(({ event }, at) => {
      if (isOut[at] === true) this.#count('backendai_agent_events_sent', event);
    });
    if (over.length < items.length) throw new Error('a broadcast could not be sent');
  }

  /** Looks where the readers are, and what became of what is in the stream. */
  async #check(): Promise<void> {
    const { stream, outbox, clock, logger } = this.#options;
    const before = this.#position;
    const position = await stream.position();
    const missing = await this.#missing();
    this.#position = position;
    this.#checkedAtMs = clock.monotonic();
    this.#unreadSinceCheck = 0;
    const isRead = position.lastDelivered !== undefined;
    if (before === undefined || (before.lastDelivered !== undefined) !== isRead) {
      if (isRead) logger.debug('a Manager reads events');
      else logger.info('no Manager reads events; those that it must not miss wait');
    }
    const { delivered, lost, overtaking } = this.#stream.settle(position, missing);
    const isMoving = delivered.length > 0 || before?.lastDelivered !== position.lastDelivered;
    this.#checkDelayMs = isMoving ? FIRST_CHECK_MS : Math.min(this.#checkDelayMs * 2, SLOWEST_CHECK_MS);
    const ids = delivered.flatMap(({ outboxId }) => (outboxId === undefined ? [] : [outboxId]));
    if (ids.length > 0) {
      // In this order: a mark that is gone before its entry would let a restart send it again.
      await outbox.remove(ids);
      await stream.forget(ids);
    }
    if (lost.length + overtaking.length === 0) return;
    const out = await stream.withdraw([...lost, ...overtaking]);
    this.#stream.takeBack(new Set(out.map(({ item }) => item)));
    if (lost.length > 0)
      logger.warn('events were lost before a Manager read them; they are sent again', { events: lost.length });
  }

  /** What the server lost since it was here last, if it was away; after the position, so that nothing is taken for read. */
  async #missing(): Promise<ReadonlySet<string>> {
    if (!this.#isInDoubt) return new Set();
    this.#isInDoubt = false;
    try {
      return await this.#options.stream.missing(this.#stream.idsInStream);
    } catch (error) {
      this.#isInDoubt = true;
      throw error;
    }
  }

  /** As much as the readers can take. */
  async #fill(): Promise<void> {
    while (this.#stream.waiting > 0) {
      const items = this.#stream.next(Math.min(this.#room(), BATCH), this.#options.clock.now());
      if (items.length === 0) return;
      // Nothing of ours can be missing of what is not there yet.
      if (this.#stream.inStream === 0) this.#isInDoubt = false;
      const { sender, stream } = this.#options;
      const wire = await this.#wire();
      const entries = items.map(({ event, outboxId, isRepeated }) => {
        const isPublished = DELIVERY[event.name] === 'both' && isRepeated !== true;
        return { outboxId, envelope: toEnvelope(event, sender, wire), isPublished };
      });
      this.#stream.sent(items, await stream.add(entries));
      this.#unreadSinceCheck += items.length;
      this.#checkDelayMs = FIRST_CHECK_MS;
      for (const item of items) this.#countSent(item);
    }
  }

  #room(): number {
    const position = this.#position;
    if (position?.lastDelivered === undefined) return 0;
    const isFresh = this.#options.clock.monotonic() - this.#checkedAtMs < FRESH_MS;
    const own = isFresh ? WINDOW : FIRST_BURST;
    const others = isFresh ? SAFE_LAG - position.lag - this.#unreadSinceCheck : FIRST_BURST;
    return Math.max(0, Math.min(own - this.#stream.inStream, others));
  }

  async #wire(): Promise<WireGeneration> {
    const { wire, clock, stream, logger } = this.#options;
    if (wire !== 'auto') return wire;
    if (this.#generation !== undefined && clock.monotonic() - this.#decidedAtMs < DECISION_MS) return this.#generation;
    const { samples, nowMs } = await stream.samples();
    const generation = decideGeneration(samples, nowMs);
    if (generation !== this.#generation) logger.info('events go out in this form', { generation });
    this.#generation = generation;
    this.#decidedAtMs = clock.monotonic();
    return generation;
  }

  #wellAgain(): void {
    if (this.#trouble !== undefined) this.#options.logger.info('events are sent again');
    this.#trouble = undefined;
    this.#retryMs = FIRST_RETRY_MS;
  }

  /** Once for each kind of trouble, not for each attempt. */
  #tellTrouble(error: unknown): void {
    const message = messageOf(error);
    const kind = message.split(' ', 1)[0];
    if (kind === this.#trouble) return;
    this.#trouble = kind;
    const { logger, outbox } = this.#options;
    logger.warn(`events wait for redis: ${message}`, { waiting: outbox.backlog().entries });
  }

  #countSent({ event, isRepeated }: StreamItem): void {
    this.#count(isRepeated === true ? 'backendai_agent_events_resent' : 'backendai_agent_events_sent', event);
  }

  #count(metric: string, { name }: AgentEvent): void {
    this.#options.telemetry.count(metric, { event_type: name });
  }

  #measure(): void {
    const { telemetry, outbox, clock } = this.#options;
    const { entries, oldestAtMs } = outbox.backlog();
    const ageMs = oldestAtMs === undefined ? 0 : Math.max(0, clock.now() - oldestAtMs);
    telemetry.gauge('backendai_agent_events_waiting', entries);
    telemetry.gauge('backendai_agent_oldest_event_seconds', ageMs / 1_000);
  }
}
