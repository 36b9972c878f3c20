/**
 * Small documents that others read while we live: statistics, presence, image facts. Everything here can be lost and
 * is written again; nothing of it is needed to survive a restart (that is KernelStore).
 *
 * `role` picks the logical database (state.md §1.2). Failures reject with an operational AgentError within two seconds.
 */
export interface StateStore {
  /** False: nobody but this process reads it, so what is meant for others need not be written. */
  readonly isShared: boolean;
  set(role: StateRole, key: string, value: Uint8Array | string, ttlSeconds?: number): Promise<void>;
  get(role: StateRole, key: string): Promise<Uint8Array | undefined>;
  delete(role: StateRole, keys: readonly string[]): Promise<void>;
  setHash(role: StateRole, key: string, fields: Readonly<Record<string, string>>, ttlSeconds?: number): Promise<void>;
  /** The same into many hashes, sent without waiting for answers in between; each gets fields and time to live, or neither. */
  setHashes(
    role: StateRole,
    keys: readonly string[],
    fields: Readonly<Record<string, string>>,
    ttlSeconds: number,
  ): Promise<void>;
  /** Removes fields of a hash; those that are not there don't matter. */
  deleteFields(role: StateRole, key: string, fields: readonly string[]): Promise<void>;
  getHash(role: StateRole, key: string): Promise<Readonly<Record<string, string>>>;
  /** All sent without waiting for answers in between, not atomic: for the many small documents of one statistics cycle. */
  setMany(role: StateRole, entries: readonly StateEntry[]): Promise<void>;
  /** Appends in order, then sets the time to live; both or neither. */
  append(role: StateRole, key: string, values: readonly (Uint8Array | string)[], ttlSeconds: number): Promise<void>;
  /** How many values a list holds; 0 if there is none. */
  lengthOf(role: StateRole, key: string): Promise<number>;
  /** Sets the time to live of something that is there; nothing there is a success. */
  expire(role: StateRole, key: string, ttlSeconds: number): Promise<void>;
  /** The store's own wall clock in milliseconds: what others compare against. */
  time(role: StateRole): Promise<number>;
  /** Resolves with the round trip in milliseconds. */
  probe(role?: StateRole): Promise<number>;
}

export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array | string;
  readonly ttlSeconds?: number;
}

/** `discovery` has the server of `live`, and a database of its own (state.md §8.1). */
export type StateRole = 'statistics' | 'live' | 'discovery' | 'image' | 'stream' | 'container_log' | 'bgtask';

export const StateStore = Symbol('StateStore');
