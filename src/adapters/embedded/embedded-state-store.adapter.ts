import { stateStoreFailure } from '../../domain/error/errors.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { StateEntry, StateRole, StateStore } from '../../application/ports/state-store.port.js';

interface Entry {
  readonly value: Uint8Array | Map<string, string> | readonly Uint8Array[];
  /** On the monotonic clock; infinite = never. */
  readonly expiresAtMs: number;
}

/** Expired entries that nobody asks for any more are cleared once in so many writes. */
const WRITES_PER_SWEEP = 256;

/** State in this process's memory, with the semantics of Redis strings, hashes and lists as far as the port uses them. */
export class EmbeddedStateStore implements StateStore {
  readonly isShared: boolean = false;
  readonly #clock: Clock;
  readonly #databases = new Map<StateRole, Map<string, Entry>>();
  #writes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  // The methods are async so that a refusal rejects, as it does on Redis, instead of throwing at the caller.
  /* eslint-disable @typescript-eslint/require-await */
  async set(role: StateRole, key: string, value: Uint8Array | string, ttlSeconds?: number): Promise<void> {
    this.#write(role, key, { value: copyOf(value), expiresAtMs: this.#expiry(ttlSeconds) });
  }

  async get(role: StateRole, key: string): Promise<Uint8Array | undefined> {
    const value = this.#read(role, key)?.value;
    if (value !== undefined && !(value instanceof Uint8Array)) throw wrongKind(key);
    return value === undefined ? undefined : Uint8Array.from(value);
  }

  async delete(role: StateRole, keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#databases.get(role)?.delete(key);
  }

  async setHash(
    role: StateRole,
    key: string,
    fields: Readonly<Record<string, string>>,
    ttlSeconds?: number,
  ): Promise<void> {
    const before = this.#read(role, key);
    const old = before?.value ?? new Map<string, string>();
    if (!(old instanceof Map)) throw wrongKind(key);
    const value = new Map([...old, ...Object.entries(fields)]);
    if (value.size === 0) return;
    const expiresAtMs = ttlSeconds === undefined ? (before?.expiresAtMs ?? Infinity) : this.#expiry(ttlSeconds);
    this.#write(role, key, { value, expiresAtMs });
  }

  async setHashes(
    role: StateRole,
    keys: readonly string[],
    fields: Readonly<Record<string, string>>,
    ttlSeconds: number,
  ): Promise<void> {
    for (const key of keys) await this.setHash(role, key, fields, ttlSeconds);
  }

  async deleteFields(role: StateRole, key: string, fields: readonly string[]): Promise<void> {
    const entry = this.#read(role, key);
    if (entry === undefined) return;
    if (!(entry.value instanceof Map)) throw wrongKind(key);
    const left = new Map([...entry.value].filter(([field]) => !fields.includes(field)));
    if (left.size > 0) this.#write(role, key, { ...entry, value: left });
    else this.#databases.get(role)?.delete(key);
  }

  async getHash(role: StateRole, key: string): Promise<Readonly<Record<string, string>>> {
    const value = this.#read(role, key)?.value;
    if (value !== undefined && !(value instanceof Map)) throw wrongKind(key);
    return Object.fromEntries(value ?? []);
  }

  async setMany(role: StateRole, entries: readonly StateEntry[]): Promise<void> {
    for (const { key, value, ttlSeconds } of entries) await this.set(role, key, value, ttlSeconds);
  }

  async append(
    role: StateRole,
    key: string,
    values: readonly (Uint8Array | string)[],
    ttlSeconds: number,
  ): Promise<void> {
    const old = this.#list(role, key);
    if (values.length === 0) return;
    this.#write(role, key, { value: [...old, ...values.map(copyOf)], expiresAtMs: this.#expiry(ttlSeconds) });
  }

  async lengthOf(role: StateRole, key: string): Promise<number> {
    return this.#list(role, key).length;
  }

  async expire(role: StateRole, key: string, ttlSeconds: number): Promise<void> {
    const entry = this.#read(role, key);
    if (entry !== undefined) this.#write(role, key, { value: entry.value, expiresAtMs: this.#expiry(ttlSeconds) });
  }

  async time(): Promise<number> {
    return this.#clock.now();
  }

  async probe(): Promise<number> {
    return 0;
  }
  /* eslint-enable @typescript-eslint/require-await */

  #list(role: StateRole, key: string): readonly Uint8Array[] {
    const value = this.#read(role, key)?.value ?? [];
    if (value instanceof Uint8Array || value instanceof Map) throw wrongKind(key);
    return value;
  }

  #read(role: StateRole, key: string): Entry | undefined {
    const entry = this.#databases.get(role)?.get(key);
    return entry === undefined || entry.expiresAtMs <= this.#clock.monotonic() ? undefined : entry;
  }

  #write(role: StateRole, key: string, entry: Entry): void {
    let database = this.#databases.get(role);
    if (database === undefined) this.#databases.set(role, (database = new Map<string, Entry>()));
    database.set(key, entry);
    if (++this.#writes % WRITES_PER_SWEEP === 0) this.#sweep();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic();
    for (const database of this.#databases.values()) {
      for (const [key, entry] of database) if (entry.expiresAtMs <= nowMs) database.delete(key);
    }
  }

  #expiry(ttlSeconds: number | undefined): number {
    return ttlSeconds === undefined ? Infinity : this.#clock.monotonic() + ttlSeconds * 1_000;
  }
}

function wrongKind(key: string): Error {
  return stateStoreFailure(`the value of ${key} is of another kind`, { field: key });
}

/** What the caller does with its buffer later must not reach the store. */
function copyOf(value: Uint8Array | string): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value);
}
