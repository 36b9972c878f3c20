import type { Redis } from 'ioredis';
import { messageOf } from '../../domain/error/agent-error.js';
import { stateStoreFailure } from '../../domain/error/errors.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { StateRole, StateStore } from '../../application/ports/state-store.port.js';
import { connect } from './redis-connection.js';
import type { RedisSettings } from './redis-settings.js';

export interface RedisStateStoreOptions {
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** State on Redis: one connection per role, made when the role is first used, so that a slow one holds up no other. */
export class RedisStateStore implements StateStore, Disposable {
  readonly #options: RedisStateStoreOptions;
  readonly #connections = new Map<StateRole, Redis>();
  #closed = false;

  constructor(options: RedisStateStoreOptions) {
    this.#options = options;
  }

  async set(role: StateRole, key: string, value: Uint8Array | string, ttlSeconds?: number): Promise<void> {
    const data = typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    await this.#run(role, key, (redis) =>
      ttlSeconds === undefined ? redis.set(key, data) : redis.set(key, data, 'EX', ttlSeconds),
    );
  }

  async get(role: StateRole, key: string): Promise<Uint8Array | undefined> {
    return (await this.#run(role, key, (redis) => redis.getBuffer(key))) ?? undefined;
  }

  async delete(role: StateRole, keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#run(role, keys[0] ?? '', (redis) => redis.unlink(...keys));
  }

  async setHash(
    role: StateRole,
    key: string,
    fields: Readonly<Record<string, string>>,
    ttlSeconds?: number,
  ): Promise<void> {
    if (Object.keys(fields).length === 0) return;
    await this.#run(role, key, async (redis) => {
      if (ttlSeconds === undefined) return redis.hset(key, fields);
      // Both or none: a presence that never expires would be a lie for ever (W-R7 of state.md §10).
      const replies = await redis.multi().hset(key, fields).expire(key, ttlSeconds).exec();
      const failure = replies?.find(([error]) => error !== null)?.[0];
      if (failure !== undefined && failure !== null) throw failure;
      return replies;
    });
  }

  async getHash(role: StateRole, key: string): Promise<Readonly<Record<string, string>>> {
    return this.#run(role, key, (redis) => redis.hgetall(key));
  }

  async probe(): Promise<number> {
    const startedAt = this.#options.clock.monotonic();
    await this.#run('statistics', 'PING', (redis) => redis.ping());
    return this.#options.clock.monotonic() - startedAt;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const redis of this.#connections.values()) redis.disconnect();
    this.#connections.clear();
  }

  async #run<Result>(role: StateRole, key: string, command: (redis: Redis) => Promise<Result>): Promise<Result> {
    try {
      return await command(this.#connection(role));
    } catch (error) {
      throw stateStoreFailure(`redis (${role}): ${messageOf(error)}`, { field: key, cause: error });
    }
  }

  #connection(role: StateRole): Redis {
    if (this.#closed) throw new Error('the state store is closed');
    let redis = this.#connections.get(role);
    if (redis === undefined) {
      const purpose = { role, name: `agent-${role}`, waitForConnection: true };
      this.#connections.set(role, (redis = connect(this.#options.settings, purpose, this.#options.logger)));
    }
    return redis;
  }
}
