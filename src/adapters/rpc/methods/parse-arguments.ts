import type { z } from 'zod';
import { untraced } from '../../../domain/error/agent-error.js';
import { invalidArgument } from '../../../domain/error/errors.js';

type Issue = z.core.$ZodIssue;

/** So many problems are told at once; more are only counted. */
const MAX_TOLD = 8;

/**
 * @param at where `value` stands, put before each field's name.
 * @throws InvalidArgumentError that names every key at fault and what it may hold, and never repeats a value.
 */
export function parseArguments<T>(schema: z.ZodType<T>, value: unknown, at = ''): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = untraced(() => parsed.error);
  const problems = issues.map((issue) => ({ field: fieldOf(at, issue.path), allowed: allowedBy(issue) }));
  const [first] = problems;
  const told = problems.slice(0, MAX_TOLD).map(({ field, allowed }) => `${field}: must be ${allowed}`);
  if (problems.length > told.length) told.push(`and ${problems.length - told.length} more`);
  throw invalidArgument(told.join('; '), first === undefined ? {} : first);
}

function fieldOf(at: string, path: readonly PropertyKey[]): string {
  const inner = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part).slice(0, 64)}`))
    .join('')
    .replace(/^\./, '');
  if (at === '') return inner === '' ? 'arguments' : inner;
  return inner === '' ? at : `${at}${inner.startsWith('[') ? '' : '.'}${inner}`;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'an array',
  tuple: 'an array',
  nonoptional: 'given',
};

function allowedBy(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return KINDS[issue.expected] ?? `a ${issue.expected}`;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return issue.message;
  }
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' entries' : '';
}
