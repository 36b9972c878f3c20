import type { Redis } from 'ioredis';
import type { Clock } from '../../application/ports/clock.port.js';
import type { ClusterMessage, ClusterMessages } from '../../application/ports/cluster-messages.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { BROADCAST_CHANNEL } from './event-stream.js';
import { connect } from './redis-connection.js';
import type { RedisSettings } from './redis-settings.js';
import { readMessage } from './wire/read-message.js';

export interface RedisClusterMessagesOptions {
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A connection that has gone silent, without having been closed, is noticed within this time. */
const CHECK_MS = 15_000;
/** Of messages that can't be read so many are told, then no more: whoever sends them may send many. */
const MAX_TOLD = 10;

/**
 * Listens on the channel `events_all`, on a connection of its own. It subscribes whenever the connection is made, and
 * again and again meanwhile: that costs nothing, shows whether the server still answers, and no path leads to an agent
 * that is connected and hears nothing (W-E4 of state.md §10).
 */
export class RedisClusterMessages implements ClusterMessages, AsyncDisposable {
  readonly #options: RedisClusterMessagesOptions;
  readonly #redis: Redis;
  readonly #listeners = new Set<(message: ClusterMessage) => void>();
  readonly #stop = new AbortController();
  readonly #checking: Promise<void>;
  #told = 0;

  constructor(options: RedisClusterMessagesOptions) {
    this.#options = options;
    const purpose = { role: 'stream', name: 'agent-messages', waitForConnection: false } as const;
    this.#redis = connect(options.settings, purpose, options.logger);
    this.#redis.on('ready', () => void this.#listen());
    this.#redis.on('message', (_channel: string, text: string) => this.#hear(text));
    this.#checking = this.#check();
  }

  subscribe(listener: (message: ClusterMessage) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#checking;
    this.#redis.disconnect();
  }

  async #check(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await this.#options.clock.sleep(CHECK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      if (this.#redis.status === 'ready') await this.#listen();
    }
  }

  async #listen(): Promise<void> {
    try {
      await this.#redis.subscribe(BROADCAST_CHANNEL);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#options.logger.warn(`cannot listen to the cluster; connecting again: ${messageOf(error)}`);
      this.#redis.disconnect(true);
    }
  }

  #hear(text: string): void {
    let message: ClusterMessage | undefined;
    try {
      message = readMessage(text);
    } catch (error) {
      if (this.#told++ < MAX_TOLD) {
        this.#options.logger.warn(`a message of the cluster can't be read: ${messageOf(error).slice(0, 500)}`);
      }
      return;
    }
    if (message === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener(message);
      } catch (error) {
        this.#options.logger.warn(`a listener to the cluster failed: ${messageOf(error)}`, { message: message.name });
      }
    }
  }
}
