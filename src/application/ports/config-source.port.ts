/**
 * Cluster-wide configuration and registration (etcd, or nothing at all on a machine of its own).
 *
 * A path is a list of components joined by `/`; components are quoted where they are stored, not by the caller. What is
 * read is merged over the scopes: a name directly below the prefix comes whole from the most specific scope that has it
 * (state.md §5.2). Every call ends within about five seconds: rejects with a ConfigSourceError, `retryable` if nobody
 * answered, with a ConfigurationError if the credentials are wrong, and at once with the reason of `signal`.
 */
export interface ConfigSource {
  /** From the most specific scope that has it. */
  get(path: string, signal: AbortSignal): Promise<string | undefined>;
  /** Values below `prefix`, by path relative to it. */
  getPrefix(prefix: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** The same, and where each value is stored. */
  getEntries(prefix: string, signal: AbortSignal): Promise<readonly ConfigEntry[]>;
  /** With `ttlSeconds` the value goes away by itself unless it is written again in time. */
  put(
    path: string,
    value: string,
    options: { readonly scope: ConfigScope; readonly ttlSeconds?: number },
    signal: AbortSignal,
  ): Promise<void>;
  /** Nothing there is a success. */
  delete(path: string, scope: ConfigScope, signal: AbortSignal): Promise<void>;
  /** All below `prefix`, not `prefix` itself. */
  deletePrefix(prefix: string, scope: ConfigScope, signal: AbortSignal): Promise<void>;
  /**
   * What is below `prefix` in the global scope, at once and after each change. No change between two looks is missed,
   * though several may be told as one; while the source is away nothing is told, and all is told anew when it is back.
   * Ends when `signal` fires.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<readonly ConfigEntry[]>;
  /** Resolves with the round trip in milliseconds. */
  probe(signal: AbortSignal): Promise<number>;
}

/** This agent, its resource group, or the whole cluster. */
export type ConfigScope = 'node' | 'group' | 'global';

export interface ConfigEntry {
  /** Components below the prefix, unquoted; empty for the prefix itself. */
  readonly path: readonly string[];
  readonly value: string;
  /** The whole key as it is stored, for people. */
  readonly key: string;
}

export const ConfigSource = Symbol('ConfigSource');
