/**
 * Small documents that others read while we live: statistics, presence, image facts. Everything here can be lost and
 * is written again; nothing of it is needed to survive a restart (that is KernelStore).
 *
 * `role` picks the logical database (state.md §1.2). Failures reject with an operational AgentError within two seconds.
 */
export interface StateStore {
  set(role: StateRole, key: string, value: Uint8Array | string, ttlSeconds?: number): Promise<void>;
  get(role: StateRole, key: string): Promise<Uint8Array | undefined>;
  delete(role: StateRole, keys: readonly string[]): Promise<void>;
  setHash(role: StateRole, key: string, fields: Readonly<Record<string, string>>, ttlSeconds?: number): Promise<void>;
  getHash(role: StateRole, key: string): Promise<Readonly<Record<string, string>>>;
  /** Resolves with the round trip in milliseconds. */
  probe(): Promise<number>;
}

export type StateRole = 'statistics' | 'live' | 'image' | 'stream' | 'container_log' | 'bgtask';

export const StateStore = Symbol('StateStore');
