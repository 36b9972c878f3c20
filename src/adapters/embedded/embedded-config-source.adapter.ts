import type { ConfigEntry, ConfigScope, ConfigSource } from '../../application/ports/config-source.port.js';

/** A parsed TOML table: nested tables become path segments, lists comma-separated text (as etcd keeps them). */
export type ConfigTable = Readonly<Record<string, unknown>>;

const SCOPES: readonly ConfigScope[] = ['node', 'group', 'global'];

/** Cluster configuration of a machine of its own: what it was made with, and what the agent itself writes. */
export class EmbeddedConfigSource implements ConfigSource {
  readonly #values: Readonly<Record<ConfigScope, Map<string, string>>>;
  readonly #watchers = new Set<() => void>();

  constructor(table: ConfigTable = {}) {
    this.#values = { node: new Map(), group: new Map(), global: new Map(flatten(table, '')) };
  }

  async get(path: string, signal: AbortSignal): Promise<string | undefined> {
    await ready(signal);
    const scope = SCOPES.find((name) => this.#values[name].has(bare(path)));
    return scope === undefined ? undefined : this.#values[scope].get(bare(path));
  }

  async getPrefix(prefix: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const entries = await this.getEntries(prefix, signal);
    return Object.fromEntries(entries.map(({ path, value }) => [path.join('/'), value]));
  }

  async getEntries(prefix: string, signal: AbortSignal): Promise<readonly ConfigEntry[]> {
    await ready(signal);
    const taken = new Set<string | undefined>();
    return SCOPES.flatMap((scope) => {
      const fresh = this.#below(scope, prefix).filter(({ path }) => !taken.has(path[0]));
      for (const { path } of fresh) taken.add(path[0]);
      return fresh;
    });
  }

  /** Nothing outlives the process, so `ttlSeconds` has nothing to do. */
  async put(
    path: string,
    value: string,
    { scope }: { readonly scope: ConfigScope },
    signal: AbortSignal,
  ): Promise<void> {
    await ready(signal);
    this.#values[scope].set(bare(path), value);
    this.#tell();
  }

  async delete(path: string, scope: ConfigScope, signal: AbortSignal): Promise<void> {
    await ready(signal);
    this.#values[scope].delete(bare(path));
    this.#tell();
  }

  async deletePrefix(prefix: string, scope: ConfigScope, signal: AbortSignal): Promise<void> {
    await ready(signal);
    const values = this.#values[scope];
    for (const path of [...values.keys()]) if (path.startsWith(`${bare(prefix)}/`)) values.delete(path);
    this.#tell();
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncIterable<readonly ConfigEntry[]> {
    let changed = true;
    let wake: (() => void) | undefined;
    const tell = (): void => {
      changed = true;
      wake?.();
    };
    const end = (): void => wake?.();
    this.#watchers.add(tell);
    signal.addEventListener('abort', end, { once: true });
    try {
      while (!signal.aborted) {
        if (changed) {
          changed = false;
          yield this.#below('global', prefix);
        } else {
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      signal.removeEventListener('abort', end);
      this.#watchers.delete(tell);
    }
  }

  async probe(signal: AbortSignal): Promise<number> {
    await ready(signal);
    return 0;
  }

  #below(scope: ConfigScope, prefix: string): readonly ConfigEntry[] {
    const whole = bare(prefix);
    // Whole components only: `config/red` is no prefix of `config/redis` (W-C4 of state.md §10).
    const start = whole === '' ? '' : `${whole}/`;
    return [...this.#values[scope]]
      .filter(([path]) => path === whole || path.startsWith(start))
      .map(([path, value]) => {
        const rest = path.slice(start.length);
        return { path: rest === '' ? [] : rest.split('/'), value, key: path };
      });
  }

  #tell(): void {
    for (const tell of this.#watchers) tell();
  }
}

function bare(path: string): string {
  return path.replace(/^\/+|\/+$/g, '');
}

function ready(signal: AbortSignal): Promise<void> {
  return signal.aborted ? Promise.reject(signal.reason as Error) : Promise.resolve();
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
