import { ALL_KEYS, CONFIG_SCHEMA } from './config-schema.js';
import { showValue, type ConfigProblem } from './config-problem.js';
import type { ConfigDocument } from './read-config-document.js';
import { nearest } from './nearest-key.js';
import { freeSections } from './schema/service-sections.js';

/** A value of the file, found under a known key. */
export interface FileValue {
  readonly spelledAs: string;
  readonly value: unknown;
}

export interface FlatDocument {
  /** Canonical key path → what the file says. */
  readonly values: ReadonlyMap<string, FileValue>;
  /** Sections that are there, also empty ones. */
  readonly sections: ReadonlySet<string>;
  /** Sections that the reference knows and nothing here depends on. */
  readonly ineffective: readonly string[];
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

const MAX_UNKNOWN_KEYS = 50;

/** Canonical spelling and aliases → canonical path. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  ALL_KEYS.flatMap(({ section, name, path, definition }) =>
    [name, ...(definition.aliases ?? [])].map((spelling) => [`${section}.${spelling}`, path] as const),
  ),
);
const SECRET = new Set(ALL_KEYS.filter(({ definition }) => definition.secret === true).map(({ path }) => path));

/** Every path that leads to a key: `accelerator`, `accelerator.mock`, `debug.coredump`. */
const TABLES: ReadonlySet<string> = new Set(
  [...Object.keys(CONFIG_SCHEMA), ...SPELLINGS.keys()].flatMap((path) => {
    const parts = path.split('.');
    const depth = SPELLINGS.has(path) ? parts.length - 1 : parts.length;
    return Array.from({ length: depth }, (_, index) => parts.slice(0, index + 1).join('.'));
  }),
);

/** Keys of the reference that are refused, and why (lifecycle.md §7.2). */
const REFUSED: Readonly<Record<string, string>> = {
  'agent.scaling-group':
    'this key was renamed; use initial-resource-group-name, which counts only while the Manager does not know the agent',
};

/** Several agents in one process are not served (lifecycle.md §6.7). */
const ONE_AGENT =
  'one process runs one agent; run a process for each, with a configuration of its own: agent.id, rpc-listen-addr, ' +
  'var-base-path, ipc-base-path, container.port-range, scratch-root and watcher.service-addr must differ';

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Walks a TOML document and sorts its values by known key; nothing is parsed yet. */
export function flattenDocument(document: ConfigDocument): FlatDocument {
  const values = new Map<string, FileValue>();
  const sections = new Set<string>();
  const problems: ConfigProblem[] = [];
  const unknown: string[] = [];
  const ineffective: string[] = [];

  const visit = (
    table: Readonly<Record<string, unknown>>,
    parents: readonly string[],
    spelledParents: string,
  ): void => {
    for (const [spelling, value] of Object.entries(table)) {
      const parts = [...parents, spelling.replaceAll('_', '-')];
      const path = parts.join('.');
      const spelledAs = spelledParents === '' ? spelling : `${spelledParents}.${spelling}`;
      const known = SPELLINGS.get(path);
      const where = document.file;
      if (known !== undefined) {
        const earlier = values.get(known);
        if (earlier === undefined) values.set(known, { spelledAs, value });
        else problems.push({ where, key: spelledAs, detail: `set twice, also as ${earlier.spelledAs}` });
      } else if (TABLES.has(path)) {
        sections.add(path);
        if (isTable(value)) visit(value, parts, spelledAs);
        else problems.push({ where, key: spelledAs, value: showValue(value, SECRET.has(path)), allowed: 'a table' });
      } else if (path in freeSections) {
        const { schema, allowed } = freeSections[path] ?? {};
        if (schema?.safeParse(value).success === true) ineffective.push(`[${path}]`);
        else problems.push({ where, key: spelledAs, ...(allowed === undefined ? {} : { allowed }) });
      } else if (path === 'agents') {
        if (!Array.isArray(value) || value.length > 0)
          problems.push({ where, key: spelledAs, detail: ONE_AGENT, allowed: 'no [[agents]]' });
      } else if (REFUSED[path] !== undefined) {
        problems.push({ where, key: spelledAs, value: showValue(value, false), detail: REFUSED[path] });
      } else {
        const guess = nearest(
          path,
          parents.length === 0 ? [...TABLES, ...Object.keys(freeSections)] : SPELLINGS.keys(),
        );
        unknown.push(
          `${where}: ${spelledAs.slice(0, 128)}: unknown key, ignored${guess === undefined ? '' : `; nearest known key: ${guess}`}`,
        );
      }
    }
  };
  visit(document.table, [], '');

  const warnings = unknown.slice(0, MAX_UNKNOWN_KEYS);
  if (unknown.length > MAX_UNKNOWN_KEYS) warnings.push(`… and ${unknown.length - MAX_UNKNOWN_KEYS} more unknown keys`);
  return { values, sections, ineffective, problems, warnings };
}
