import type { z } from 'zod';
import { untraced } from '../../../domain/error/agent-error.js';
import { invalidFields, nameOf, placeIn, type Problem } from './problems.js';

type Issue = z.core.$ZodIssue;

/**
 * @param at where `value` stands, put before each field's name.
 * @throws InvalidArgumentError that names every key at fault and what it may hold, and never repeats a value.
 */
export function parseArguments<T>(schema: z.ZodType<T>, value: unknown, at = ''): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidFields(problemsOf(untraced(() => parsed.error).issues, at));
}

/** What a schema found wrong with the value at `at`. */
export function problemsOf(issues: readonly Issue[], at: string): readonly Problem[] {
  return issues.map((issue) => ({ field: nameOf(issue.path.reduce(placeIn, at)), allowed: allowedBy(issue) }));
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
