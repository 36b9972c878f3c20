import { describeOrigin, type Origin } from './origin.js';
import type { ClusterValue } from './cluster-config.js';
import { showValue, type ConfigProblem } from './config-problem.js';
import type { PlacedKey } from './config-schema.js';
import { expandPath } from './expand-path.js';
import type { FileValue } from './flatten-document.js';
import type { DefaultContext } from './key-definition.js';

export interface KeySources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** The file, if there is one, and what it says about this key. */
  readonly file: string;
  readonly inFile: FileValue | undefined;
  /** What etcd says about it. */
  readonly inCluster: ClusterValue | undefined;
  /** The whole section comes from etcd: what it does not say there is the default. */
  readonly isReplaced: boolean;
  /** Command-line option of this key. */
  readonly option: { readonly name: string; readonly value: unknown } | undefined;
  readonly defaults: DefaultContext;
}

export interface ResolvedKey {
  /** `undefined` exactly if there is a problem. */
  readonly value: unknown;
  readonly origin: Origin;
  readonly problem?: ConfigProblem;
}

interface Raw {
  readonly value: unknown;
  readonly origin: Origin;
  readonly spelledAs: string;
}

/** The effective value of a key by precedence: option, etcd, environment, file, default (lifecycle.md §7.1). */
export function resolveKey(key: PlacedKey, sources: KeySources): ResolvedKey {
  const raw = mostBinding(key, sources);
  const base = raw === undefined ? useDefault(key, sources) : parseRaw(key, raw, sources);
  const part = halfOverride(key, base.value, sources);
  return part === undefined || base.problem !== undefined ? base : parseRaw(key, part, sources);
}

function mostBinding(key: PlacedKey, sources: KeySources): Raw | undefined {
  const { option, env, file, inFile, inCluster } = sources;
  const { path, definition } = key;
  const parts = (text: string): unknown =>
    definition.type.isList === true ? text.split(',').map((item) => item.trim()) : text;
  if (option !== undefined)
    return { value: option.value, origin: { kind: 'option', name: option.name }, spelledAs: path };
  if (inCluster !== undefined) {
    const { value, key: stored } = inCluster;
    return {
      value: typeof value === 'string' ? parts(value) : value,
      origin: { kind: 'etcd', key: stored },
      spelledAs: path,
    };
  }
  if (sources.isReplaced) return undefined;
  for (const { name, part } of definition.env ?? []) {
    const text = env[name];
    if (part !== undefined || text === undefined || text === '') continue;
    return { value: parts(text), origin: { kind: 'env', name }, spelledAs: path };
  }
  if (inFile === undefined) return undefined;
  return { value: inFile.value, origin: { kind: 'file', file, key: inFile.spelledAs }, spelledAs: inFile.spelledAs };
}

function useDefault({ definition: { type, fallback } }: PlacedKey, sources: KeySources): ResolvedKey {
  const value: unknown =
    typeof fallback === 'function' ? (fallback as (context: DefaultContext) => unknown)(sources.defaults) : fallback;
  return {
    value: type.isPath === true && typeof value === 'string' ? expandPath(value, sources) : value,
    origin: { kind: 'default' },
  };
}

function parseRaw({ definition }: PlacedKey, raw: Raw, sources: KeySources): ResolvedKey {
  const { type } = definition;
  const parsed = type.schema.safeParse(raw.value);
  const { origin } = raw;
  if (parsed.success) {
    const value = parsed.data;
    return { value: type.isPath === true && typeof value === 'string' ? expandPath(value, sources) : value, origin };
  }
  const at = (parsed.error.issues[0]?.path ?? []).map(String).join('.');
  const problem: ConfigProblem = {
    where: origin.kind === 'file' ? origin.file : describeOrigin(origin),
    key: raw.spelledAs,
    value: showValue(raw.value, definition.secret === true),
    allowed: type.allowed,
    ...(at === '' ? {} : { detail: `wrong at ${at.slice(0, 128)}` }),
  };
  return { value: undefined, origin, problem };
}

/** Host or port of a `host:port` from a variable of its own, as the reference has them. */
function halfOverride(key: PlacedKey, value: unknown, { env }: KeySources): Raw | undefined {
  let merged: Record<string, unknown> | undefined;
  let origin: Origin | undefined;
  for (const { name, part } of key.definition.env ?? []) {
    const text = env[name];
    if (part === undefined || text === undefined || text === '') continue;
    merged = { ...(merged ?? (value as object)), [part]: text };
    origin = { kind: 'env', name };
  }
  return merged === undefined || origin === undefined ? undefined : { value: merged, origin, spelledAs: key.path };
}
