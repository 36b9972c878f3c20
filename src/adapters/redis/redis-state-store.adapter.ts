import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChainableCommander, Redis } from 'ioredis';
import { messageOf } from '../../domain/error/agent-error.js';
import { stateStoreFailure } from '../../domain/error/errors.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { StateEntry, StateRole, StateStore } from '../../application/ports/state-store.port.js';
import { connect } from './redis-connection.js';
import type { RedisSettings } from './redis-settings.js';

export interface RedisStateStoreOptions {
  readonly settings: RedisSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Making a command takes time: others get their turn after so many. */
const ENTRIES_PER_TURN = 50;

/** State on Redis: one connection per role, made when the role is first used, so that a slow one holds up no other. */
export class RedisStateStore implements StateStore, Disposable {
  readonly isShared = true;
  readonly #options: RedisStateStoreOptions;
  readonly #connections = new Map<StateRole, Redis>();
  #closed = false;

  constructor(options: RedisStateStoreOptions) {
    this.#options = options;
  }

  async set(role: StateRole, key: string, value: Uint8Array | string, ttlSeconds?: number): Promise<void> {
    const data = wireValue(value);
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
      return allDone(redis.multi().hset(key, fields).expire(key, ttlSeconds));
    });
  }

  async setHashes(
    role: StateRole,
    keys: readonly string[],
    fields: Readonly<Record<string, string>>,
    ttlSeconds: number,
  ): Promise<void> {
    if (keys.length === 0 || Object.keys(fields).length === 0) return;
    await this.#run(role, keys[0] ?? '', (redis) =>
      inTurns(keys, (some) => {
        const commands = redis.multi();
        for (const key of some) commands.hset(key, fields).expire(key, ttlSeconds);
        return allDone(commands);
      }),
    );
  }

  async deleteFields(role: StateRole, key: string, fields: readonly string[]): Promise<void> {
    if (fields.length > 0) await this.#run(role, key, (redis) => redis.hdel(key, ...fields));
  }

  async getHash(role: StateRole, key: string): Promise<Readonly<Record<string, string>>> {
    return this.#run(role, key, (redis) => redis.hgetall(key));
  }

  async setMany(role: StateRole, entries: readonly StateEntry[]): Promise<void> {
    if (entries.length === 0) return;
    await this.#run(role, entries[0]?.key ?? '', (redis) =>
      inTurns(entries, (some) => allDone(setting(redis.pipeline(), some))),
    );
  }

  async append(
    role: StateRole,
    key: string,
    values: readonly (Uint8Array | string)[],
    ttlSeconds: number,
  ): Promise<void> {
    if (values.length === 0) return;
    await this.#run(role, key, (redis) =>
      allDone(
        redis
          .multi()
          .rpush(key, ...values.map(wireValue))
          .expire(key, ttlSeconds),
      ),
    );
  }

  async lengthOf(role: StateRole, key: string): Promise<number> {
    return this.#run(role, key, (redis) => redis.llen(key));
  }

  async expire(role: StateRole, key: string, ttlSeconds: number): Promise<void> {
    await this.#run(role, key, (redis) => redis.expire(key, ttlSeconds));
  }

  async time(role: StateRole): Promise<number> {
    const [seconds, microseconds] = await this.#run(role, 'TIME', (redis) => redis.time());
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  async probe(role: StateRole = 'statistics'): Promise<number> {
    const startedAt = this.#options.clock.monotonic();
    await this.#run(role, 'PING', (redis) => redis.ping());
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

async function inTurns<Entry>(
  entries: readonly Entry[],
  write: (some: readonly Entry[]) => Promise<void>,
): Promise<void> {
  const sent: Promise<void>[] = [];
  for (let start = 0; start < entries.length; start += ENTRIES_PER_TURN) {
    if (start > 0) await nextTurn();
    const writing = write(entries.slice(start, start + ENTRIES_PER_TURN));
    // It may fail while the next ones are still being made.
    writing.catch(() => undefined);
    sent.push(writing);
  }
  await Promise.all(sent);
}

function setting(pipeline: ChainableCommander, entries: readonly StateEntry[]): ChainableCommander {
  for (const { key, value, ttlSeconds } of entries) {
    if (ttlSeconds === undefined) pipeline.set(key, wireValue(value));
    else pipeline.set(key, wireValue(value), 'EX', ttlSeconds);
  }
  return pipeline;
}

function wireValue(value: Uint8Array | string): Buffer | string {
  return typeof value === 'string' ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** Replies of a chain come one by one, errors among them: the first error is the failure of all. */
async function allDone(commands: ChainableCommander): Promise<void> {
  const replies = await commands.exec();
  const failure = replies?.find(([error]) => error !== null)?.[0];
  if (failure !== undefined && failure !== null) throw failure;
}
