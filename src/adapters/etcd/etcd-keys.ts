import type { ConfigEntry, ConfigScope } from '../../application/ports/config-source.port.js';
import type { EtcdScopes } from './etcd-settings.js';

/** A stored pair as etcd returns it. */
export interface StoredValue {
  readonly key: string;
  readonly value: string;
}

/** Scopes from the most specific to the most general (state.md §5.2). */
export const SCOPES: readonly ConfigScope[] = ['node', 'group', 'global'];

/** The key layout of state.md §5.2. */
export class EtcdKeys {
  readonly #prefixes: Readonly<Record<ConfigScope, string>>;

  constructor(namespace: string, { agentId, resourceGroup }: EtcdScopes) {
    const root = `/sorna/${namespace}/`;
    this.#prefixes = {
      node: `${root}nodes/agents/${agentId}/`,
      group: `${root}sgroup/${resourceGroup}/`,
      global: root,
    };
  }

  /** The empty path of scope `node` is a key with a trailing slash, as the reference writes it. */
  full(scope: ConfigScope, path: string): string {
    return this.#prefixes[scope] + split(path).map(quote).join('/');
  }
}

/**
 * What a range read of `prefix` found, by path below it. etcd's ranges are of bytes: `config/redistribute`, found with
 * `config/redis`, is none of it.
 */
export function entriesBelow(prefix: string, found: readonly StoredValue[]): readonly ConfigEntry[] {
  const start = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  return found
    .filter(({ key }) => key === prefix || key.startsWith(start))
    .map(({ key, value }) => {
      const rest = key.slice(start.length);
      return { path: rest === '' ? [] : rest.split('/').map(unquote), value, key };
    });
}

/** The first list wins: each top-level name comes whole from the first list that has it (state.md §5.2). */
export function mergeShallow(byScope: readonly (readonly ConfigEntry[])[]): readonly ConfigEntry[] {
  const taken = new Set<string | undefined>();
  return byScope.flatMap((entries) => {
    const fresh = entries.filter(({ path }) => !taken.has(path[0]));
    for (const { path } of fresh) taken.add(path[0]);
    return fresh;
  });
}

/** Percent-encodes all but letters, digits and `_ . - ~`. */
export function quote(component: string): string {
  return encodeURIComponent(component).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** What was not quoted properly is taken as it is. */
export function unquote(component: string): string {
  try {
    return decodeURIComponent(component);
  } catch {
    return component;
  }
}

function split(path: string): readonly string[] {
  return path.split('/').filter((component) => component !== '');
}
