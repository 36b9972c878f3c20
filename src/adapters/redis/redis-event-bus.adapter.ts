import type { Redis } from 'ioredis';
import type { Clock } from '../../application/ports/clock.port.js';
import type { AnnouncedEvent, EventBus } from '../../application/ports/event-bus.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Outbox } from '../../application/ports/outbox.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import { type AgentEvent, DELIVERY } from '../../domain/event/agent-event.js';
import { careOf } from '../../domain/event/event-care.js';
import { EventCourier, type EventWire } from './event-courier.js';
import { EventStream } from './event-stream.js';
import { connect } from './redis-connection.js';
import type { RedisSettings } from './redis-settings.js';
import type { Sender } from './wire/sender.js';

export interface RedisEventBusOptions {
  readonly settings: RedisSettings;
  readonly sender: Sender;
  readonly wire: EventWire;
  readonly outbox: Outbox;
  /** Serves this node's watchers: every event goes there first, with its number and time. */
  readonly local: EventBus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/**
 * Events to the Managers: anycast to the stream `events`, broadcast to the channel `events_all` (state.md §2).
 *
 * What a Manager must not miss goes through the outbox: `announce` returns when it is on disk, and it is sent, again if
 * need be, until a Manager was given it. How the agent is (heartbeats) waits behind nothing, only the newest of it. The
 * rest waits in memory for a while. `announce` never waits for the server.
 */
export class RedisEventBus implements EventBus, AsyncDisposable {
  readonly #options: RedisEventBusOptions;
  readonly #redis: Redis;
  readonly #courier: EventCourier;

  constructor(options: RedisEventBusOptions) {
    this.#options = options;
    const { settings, sender, logger } = options;
    const purpose = { role: 'stream', name: 'agent-events', waitForConnection: false } as const;
    this.#redis = connect(settings, purpose, logger);
    this.#courier = new EventCourier({
      ...options,
      logger: logger.child({ component: 'events' }),
      stream: new EventStream(this.#redis, sender.agentId),
      isConnected: () => this.#redis.status === 'ready',
    });
    this.#redis.on('ready', () => this.#courier.connected());
  }

  async announce(event: AgentEvent): Promise<void> {
    if (DELIVERY[event.name] === 'local') return this.#options.local.announce(event);
    // Before anything is awaited: the order of the calls is the order of what is told.
    switch (careOf(event.name)) {
      case 'kept':
        return this.#keep(event);
      case 'newest':
        this.#courier.state(event);
        break;
      case 'passing':
        this.#courier.mention(event);
    }
    await this.#options.local.announce(event);
  }

  subscribe(listener: (event: AnnouncedEvent) => void, since?: number): Disposable {
    return this.#options.local.subscribe(listener, since);
  }

  /** Gives what waits one more second, then closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#courier[Symbol.asyncDispose]();
    this.#redis.disconnect();
  }

  async #keep(event: AgentEvent): Promise<void> {
    const put = this.#options.outbox.put(event);
    // An earlier life of this agent has told it; this node's watchers heard it from that one.
    if (put === undefined) return;
    const told = this.#options.local.announce(event);
    await put.stored;
    this.#courier.deliver(put.entry);
    if (put.givenUp.length > 0) this.#courier.forget(put.givenUp.map(({ id }) => id));
    await told;
  }
}
