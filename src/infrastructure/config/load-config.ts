import { checkCombinations } from './check-combinations.js';
import type { ClusterConfig } from './cluster-config.js';
import { configurationError, type ConfigProblem } from './config-problem.js';
import { ALL_KEYS, type ConfigValues } from './config-schema.js';
import { flattenDocument, type FlatDocument } from './flatten-document.js';
import type { DefaultContext } from './key-definition.js';
import { readConfigDocument, type ConfigLocation } from './read-config-document.js';
import type { Origin } from './origin.js';
import { resolveKey } from './resolve-key.js';

export interface LoadOptions extends ConfigLocation {
  /** `--log-level`. */
  readonly logLevel?: string;
  /** `--debug`. */
  readonly debug?: boolean;
  /** What etcd says, once it was read: counts more than file and environment (state.md §5.4). */
  readonly cluster?: ClusterConfig;
}

/** A validated configuration. */
export interface LoadedConfig {
  readonly values: ConfigValues;
  /** Key path (`agent.rpc-listen-addr`) → where its value came from. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** For people: unknown keys, known keys without effect, risky values. */
  readonly warnings: readonly string[];
  /** `null` = none was found; the built-in defaults hold. */
  readonly file: string | null;
  /** No etcd: a machine of its own. */
  readonly standalone: boolean;
  /** `null` = not read (yet). */
  readonly cluster: ClusterConfig | null;
}

const EMPTY: FlatDocument = { values: new Map(), sections: new Set(), ineffective: [], problems: [], warnings: [] };

function optionFor(path: string, options: LoadOptions): { name: string; value: unknown } | undefined {
  if (path === 'logging.level' && options.logLevel !== undefined)
    return { name: '--log-level', value: options.logLevel };
  if (path === 'debug.enabled' && options.debug === true) return { name: '--debug', value: true };
  return undefined;
}

function defaultContext(flat: FlatDocument, env: LoadOptions['env']): DefaultContext {
  const has = (key: string): boolean => flat.values.has(`agent.${key}`);
  return {
    standalone: !flat.sections.has('etcd') && !env['BACKEND_ETCD_ADDR'],
    curveConfigured: has('rpc-auth-manager-public-key'),
  };
}

/**
 * Loads and validates the configuration (lifecycle.md §7.1). Reads files only: directories are made by those who use
 * them. Throws one ConfigurationError that lists every problem, and the warnings that may explain them.
 */
export function loadConfig(options: LoadOptions): LoadedConfig {
  const { env, cwd, home, cluster } = options;
  const document = readConfigDocument(options);
  const flat = document === undefined ? EMPTY : flattenDocument(document);
  const defaults = defaultContext(flat, env);
  const problems: ConfigProblem[] = [...flat.problems];
  const origins = new Map<string, Origin>();
  const invalid = new Set<string>();
  const ineffective: string[] = [...flat.ineffective];
  const outdone: string[] = [];
  const sections: Record<string, Record<string, unknown>> = {};

  for (const key of ALL_KEYS) {
    const isReplaced = cluster?.replaced.has(key.section) === true && key.definition.own !== true;
    const { value, origin, problem } = resolveKey(key, {
      ...{ env, cwd, home, defaults },
      file: document?.file ?? '',
      inFile: flat.values.get(key.path),
      inCluster: cluster?.values.get(key.path),
      isReplaced,
      option: optionFor(key.path, options),
    });
    (sections[key.section] ??= {})[key.name] = value;
    origins.set(key.path, origin);
    if (problem !== undefined) {
      problems.push(problem);
      invalid.add(key.path);
    }
    if (isReplaced && flat.values.has(key.path)) outdone.push(key.path);
    if (!key.definition.effective && origin.kind !== 'default') ineffective.push(key.path);
  }

  // Each key was parsed by the schema that ConfigValues is derived from; what failed is named in `invalid`.
  const values = sections as unknown as ConfigValues;
  const combined = checkCombinations(values, {
    origins,
    invalid,
    inCluster: cluster !== undefined,
    standalone: defaults.standalone,
  });
  problems.push(...combined.problems);
  if (problems.length > 0) throw configurationError(problems, [...flat.warnings, ...(cluster?.warnings ?? [])]);
  const warnings = [...flat.warnings, ...(cluster?.warnings ?? []), ...combined.warnings];
  if (outdone.length > 0)
    warnings.push(`without effect in the file, because etcd replaces the whole section: ${outdone.join(', ')}`);
  if (ineffective.length > 0) warnings.push(`known, but without effect here yet: ${ineffective.join(', ')}`);
  return {
    ...{ values, origins, warnings, file: document?.file ?? null },
    ...{ standalone: defaults.standalone, cluster: cluster ?? null },
  };
}
