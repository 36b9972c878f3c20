import type { Redis } from 'ioredis';
import { type AgentEvent, type Delivery, DELIVERY } from '../../domain/event/agent-event.js';
import { messageOf } from '../../domain/error/agent-error.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { AnnouncedEvent, EventBus } from '../../application/ports/event-bus.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import {
  BROADCAST_CHANNEL,
  channelText,
  STREAM_KEY,
  STREAM_MAX_LENGTH,
  streamFields,
  toEnvelope,
} from './event-envelope.js';
import { EventQueue, type WaitingEvent } from './event-queue.js';
import { connect } from './redis-connection.js';
import type { RedisSettings } from './redis-settings.js';

export interface RedisEventBusOptions {
  readonly settings: RedisSettings;
  readonly agentId: string;
  /** Serves this node's watchers: every event goes there first, with its number and time. */
  readonly local: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  /** Events that may wait while the server is away. */
  readonly queueLimit?: number;
}

const QUEUE_LIMIT = 10_000;
const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;
/** At the end, what still waits has so long to get out. */
const FLUSH_MS = 1_000;

/**
 * Events to the Managers: anycast to the stream `events`, broadcast to the channel `events_all` (state.md §2, generation
 * B), one after the other over one connection, so that the order of `announce` is kept for each kernel.
 *
 * An anycast is repeated until the server took it (at least once); a broadcast has no memory and is tried once (W-E3).
 * `announce` never waits for the server: it returns when the event is in the queue. What waits is lost with the process.
 */
export class RedisEventBus implements EventBus, AsyncDisposable {
  readonly #options: RedisEventBusOptions;
  readonly #queue: EventQueue;
  readonly #redis: Redis;
  readonly #stop = new AbortController();
  #draining = false;
  /** Resolves when the newest drain has ended. */
  #drained: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(options: RedisEventBusOptions) {
    this.#options = options;
    this.#queue = new EventQueue(options.queueLimit ?? QUEUE_LIMIT);
    const purpose = { role: 'stream', name: 'agent-events', waitForConnection: false } as const;
    this.#redis = connect(options.settings, purpose, options.logger);
    this.#redis.on('ready', () => this.#wake?.());
  }

  async announce(event: AgentEvent): Promise<void> {
    // Before anything is awaited: the order of the calls is the order of the queue.
    if (DELIVERY[event.name] !== 'local' && !this.#stop.signal.aborted) this.#enqueue(event, DELIVERY[event.name]);
    await this.#options.local.announce(event);
  }

  subscribe(listener: (event: AnnouncedEvent) => void, since?: number): Disposable {
    return this.#options.local.subscribe(listener, since);
  }

  /** Gives what waits one more second, then closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    const deadline = this.#options.clock.deadline(FLUSH_MS);
    deadline.signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
    this.#wake?.();
    await this.#drained;
    deadline[Symbol.dispose]();
    this.#stop.abort();
    if (this.#queue.length > 0) this.#options.logger.error('events are lost', { events: this.#queue.length });
    this.#redis.disconnect();
  }

  #enqueue(event: AgentEvent, delivery: Delivery): void {
    const envelope = toEnvelope(event, this.#options.agentId);
    const givenUp = this.#queue.push({
      name: event.name,
      anycast: delivery !== 'broadcast',
      broadcast: delivery !== 'anycast',
      fields: streamFields(envelope),
      channelText: channelText(envelope),
    });
    if (givenUp !== undefined) this.#tellLoss(givenUp);
    this.#options.telemetry.gauge('backendai_agent_events_waiting', this.#queue.length);
    if (!this.#draining) this.#drained = this.#drain();
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    let retryMs = FIRST_RETRY_MS;
    for (let event = this.#queue.first; event !== undefined; event = this.#queue.first) {
      if (this.#stop.signal.aborted) break;
      try {
        await this.#send(event);
        this.#queue.shift();
        this.#options.telemetry.gauge('backendai_agent_events_waiting', this.#queue.length);
        retryMs = FIRST_RETRY_MS;
      } catch (error) {
        this.#options.logger.debug('an event waits for redis', { event: event.name, error: messageOf(error) });
        await this.#pause(retryMs);
        retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
      }
    }
    // In the same turn as the last look at the queue: an event that comes now starts the next drain.
    this.#draining = false;
  }

  async #send(event: WaitingEvent): Promise<void> {
    if (event.anycast) {
      await this.#redis.xadd(STREAM_KEY, 'MAXLEN', '~', STREAM_MAX_LENGTH, '*', ...event.fields);
    }
    if (!event.broadcast) return;
    try {
      await this.#redis.publish(BROADCAST_CHANNEL, event.channelText);
    } catch (error) {
      this.#options.logger.debug('a broadcast was not sent', { event: event.name, error: messageOf(error) });
    }
  }

  /** Until the time is over, the connection is back, or the end has come. */
  async #pause(ms: number): Promise<void> {
    const over = new AbortController();
    const wake = (): void => over.abort();
    this.#wake = wake;
    this.#stop.signal.addEventListener('abort', wake, { once: true });
    try {
      await this.#options.clock.sleep(ms, over.signal);
    } catch {
      // Woken.
    } finally {
      this.#wake = undefined;
      this.#stop.signal.removeEventListener('abort', wake);
    }
  }

  #tellLoss({ name }: WaitingEvent): void {
    this.#options.telemetry.count('backendai_agent_events_dropped', { event_type: name });
    this.#options.logger.error('too many events wait for redis; one was given up', { event: name });
  }
}
