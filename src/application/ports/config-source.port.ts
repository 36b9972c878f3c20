/** Cluster-wide configuration (etcd, or nothing at all on a machine of its own). */
export interface ConfigSource {
  /** Values below `prefix`, most specific scope first already merged; key path relative to the prefix. */
  getPrefix(prefix: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Resolves with the round trip in milliseconds. */
  probe(signal: AbortSignal): Promise<number>;
}

export const ConfigSource = Symbol('ConfigSource');
