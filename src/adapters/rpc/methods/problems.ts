import type { AgentError } from '../../../domain/error/agent-error.js';
import { invalidArgument } from '../../../domain/error/errors.js';

/** A place of a document that does not hold what it may. */
export interface Problem {
  /** The key as the caller knows it: `raw_configs[0].environ.HOME`. */
  readonly field: string;
  /** What it may hold, in words; never what it held. */
  readonly allowed: string;
}

/** So many problems are told at once; more are only counted. */
const MAX_TOLD = 8;
/** Names of the caller's own choice may be long. */
const MAX_KEY = 64;

/** The InvalidArgumentError that names every key at fault and what it may hold. */
export function invalidFields(problems: readonly Problem[]): AgentError {
  const told = problems.slice(0, MAX_TOLD).map(({ field, allowed }) => `${field}: must be ${allowed}`);
  if (problems.length > told.length) told.push(`and ${problems.length - told.length} more`);
  return invalidArgument(told.join('; '), problems[0] ?? {});
}

/** The place of entry `key` of the map, or item `key` of the array, that stands at `at`; `''` is the whole document. */
export function placeIn(at: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${at}[${key}]`;
  const name = String(key).slice(0, MAX_KEY);
  return at === '' ? name : `${at}.${name}`;
}

/** What a place is called in an error. */
export function nameOf(at: string): string {
  return at === '' ? 'arguments' : at;
}
