import type { ConfigSource } from '../../application/ports/config-source.port.js';

/** A parsed TOML table: nested tables become path segments, lists comma-separated text (as etcd keeps them). */
export type ConfigTable = Readonly<Record<string, unknown>>;

/** Cluster configuration of a machine of its own: nothing, or what the configuration file says. */
export class EmbeddedConfigSource implements ConfigSource {
  readonly #values: ReadonlyMap<string, string>;

  constructor(table: ConfigTable = {}) {
    this.#values = new Map(flatten(table, ''));
  }

  getPrefix(prefix: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    const bare = prefix.replace(/^\/+|\/+$/g, '');
    // Whole segments only: `config/red` is no prefix of `config/redis` (W-C4 of state.md §10).
    const start = bare === '' ? '' : `${bare}/`;
    const found = [...this.#values].filter(([path]) => path.startsWith(start));
    return Promise.resolve(Object.fromEntries(found.map(([path, value]) => [path.slice(start.length), value])));
  }

  probe(signal: AbortSignal): Promise<number> {
    return signal.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve(0);
  }
}

function* flatten(table: ConfigTable, path: string): Generator<[path: string, value: string]> {
  for (const [key, value] of Object.entries(table)) {
    if (isTable(value)) yield* flatten(value, `${path}${key}/`);
    else if (value !== null && value !== undefined) yield [path + key, textOf(value)];
  }
}

function isTable(value: unknown): value is ConfigTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(',');
  return value instanceof Date ? value.toISOString() : String(value);
}
