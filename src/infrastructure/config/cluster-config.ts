import { isIPv4, isIPv6 } from 'node:net';
import type { ConfigEntry, ConfigSource } from '../../application/ports/config-source.port.js';
import { configurationError, showValue } from './config-problem.js';
import { ALL_KEYS } from './config-schema.js';

/** A value of the cluster's configuration, and the whole key under which it is stored. */
export interface ClusterValue {
  /** Text, or tables of text. */
  readonly value: unknown;
  readonly key: string;
}

/** What etcd says about this agent's configuration (lifecycle.md §7.1, state.md §5.4). */
export interface ClusterConfig {
  /** Key path (`redis.addr`) → value. */
  readonly values: ReadonlyMap<string, ClusterValue>;
  /** Sections that are replaced as a whole → a key that is the reason. */
  readonly replaced: ReadonlyMap<string, string>;
  /** Address ranges in which this machine's own address is looked for. */
  readonly subnets: { readonly agent: string | null; readonly container: string | null };
  /** The token that a Manager sends to watchers; `null` = none that could be used. */
  readonly watcherToken: string | null;
  readonly warnings: readonly string[];
}

/** Replaced together as soon as there is anything below `config/agent`, even of another section (state.md §5.4). */
const AGENT_SECTIONS = ['api', 'container-logs', 'kernel-lifecycles'];
const KERNEL_USER = ['kernel-uid', 'kernel-gid'];
/** Canonical spelling and aliases → canonical path. */
const PATHS: ReadonlyMap<string, string> = new Map(
  ALL_KEYS.flatMap(({ section, name, path, definition }) =>
    [name, ...(definition.aliases ?? [])].map((spelling) => [`${section}.${spelling}`, path] as const),
  ),
);

/** The reference's token where nobody configured one: everybody knows it. */
const DEFAULT_TOKEN = 'insecure';
const GOOD_TOKEN_LENGTH = 16;

/** Rejects as ConfigSource does; a value that can't be used is a ConfigurationError that names its key. */
export async function readClusterConfig(source: ConfigSource, signal: AbortSignal): Promise<ClusterConfig> {
  const read = (prefix: string) => source.getEntries(prefix, signal);
  const [redis, agent, container, subnet, watcher] = await Promise.all(
    ['config/redis', 'config/agent', 'config/container', 'config/network/subnet', 'config/watcher'].map(read),
  );
  const values = new Map<string, ClusterValue>();
  const replaced = new Map<string, string>();
  const warnings: string[] = [];

  const take = (section: string, found: ReadonlyMap<string, ClusterValue>, only?: readonly string[]): void => {
    for (const [name, value] of found) {
      if (only?.includes(name) === false) continue;
      const path = PATHS.get(`${section}.${name}`);
      if (path !== undefined) values.set(path, value);
      else warnings.push(`etcd ${value.key}: unknown key, ignored`);
    }
  };
  const [reason] = agent ?? [];
  for (const section of AGENT_SECTIONS) {
    if (reason !== undefined) replaced.set(section, reason.key);
    take(
      section,
      tableOf(
        (agent ?? []).filter(({ path }) => kebab(path[0]) === section),
        1,
      ),
    );
  }
  if (redis?.[0] !== undefined) replaced.set('redis', redis[0].key);
  // Empty texts are what installers and forms leave where nothing is meant.
  const meant = (redis ?? []).filter(({ value }) => value !== '');
  take('redis', tableOf(meant, 0));
  take('container', tableOf(container ?? [], 0), KERNEL_USER);

  return {
    values,
    replaced,
    subnets: { agent: subnetOf(subnet ?? [], 'agent'), container: subnetOf(subnet ?? [], 'container') },
    watcherToken: tokenOf(watcher ?? [], warnings),
    warnings,
  };
}

/**
 * The entries as a table of the names at `depth`, in kebab-case; what lies deeper becomes tables. A name that has a
 * value and is a parent, too, keeps its own value under the empty name (state.md §5.2).
 */
export function tableOf(entries: readonly ConfigEntry[], depth: number): ReadonlyMap<string, ClusterValue> {
  const table = new Map<string, ClusterValue>();
  const byName = new Map<string, ConfigEntry[]>();
  for (const entry of entries) {
    const name = entry.path[depth];
    if (name !== undefined) byName.set(kebab(name), [...(byName.get(kebab(name)) ?? []), entry]);
  }
  for (const [name, below] of byName) {
    const [first] = below;
    if (first === undefined) continue;
    if (below.length === 1 && first.path.length === depth + 1) {
      table.set(name, { value: first.value, key: first.key });
      continue;
    }
    const deeper = new Map<string, unknown>();
    const own = below.find(({ path }) => path.length === depth + 1);
    if (own !== undefined) deeper.set('', own.value);
    for (const [key, { value }] of tableOf(below, depth + 1)) deeper.set(key, value);
    const above = first.key.split('/').slice(0, depth + 1 - first.path.length || undefined);
    table.set(name, { value: Object.fromEntries(deeper), key: `${above.join('/')}/` });
  }
  return table;
}

function kebab(name: string | undefined): string {
  return (name ?? '').replaceAll('_', '-');
}

function subnetOf(entries: readonly ConfigEntry[], name: string): string | null {
  const entry = entries.find(({ path }) => path.length === 1 && path[0] === name);
  if (entry === undefined || entry.value === '') return null;
  const [address = '', bits = ''] = entry.value.split('/');
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  if (/^\d{1,3}$/.test(bits) && Number(bits) <= most) return entry.value;
  throw configurationError([
    {
      where: `etcd ${entry.key}`,
      key: `config/network/subnet/${name}`,
      value: showValue(entry.value, false),
      allowed: 'an address range such as "10.0.0.0/16"',
    },
  ]);
}

function tokenOf(entries: readonly ConfigEntry[], warnings: string[]): string | null {
  const entry = entries.find(({ path }) => path.length === 1 && path[0] === 'token');
  if (entry === undefined) return null;
  if (entry.value === DEFAULT_TOKEN || !/^[\x21-\x7e]{1,256}$/.test(entry.value)) {
    warnings.push(`etcd ${entry.key}: not used: it is the well-known default, or not 1 to 256 printable characters`);
    return null;
  }
  if (entry.value.length < GOOD_TOKEN_LENGTH)
    warnings.push(`etcd ${entry.key}: a token shorter than ${GOOD_TOKEN_LENGTH} characters can be guessed`);
  return entry.value;
}
