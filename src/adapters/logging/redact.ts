import { isAgentError } from '../../domain/error/agent-error.js';
import type { LogFields } from '../../application/ports/logger.port.js';

const REDACTED = '[redacted]';
/** What lies deeper is left out: a log line is no place for documents. */
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_TEXT = 8_192;

/** Key names, folded to lower case without punctuation, whose values are secret or a user's own. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  ...['secret', 'authorization', 'cookie', 'credentials', 'code', 'stdin', 'environ', 'environment', 'env', 'envs'],
  ...['bootstrapscript', 'dotfiles', 'dockercredentials', 'sshkeypair', 'registryauth'],
]);
const SECRET_ENDINGS = /(password|passwd|passphrase|token|secret|secretkey|accesskey|privatekey|apikey)$/;

/** Verdicts of before: the keys of log lines are few, unless somebody logs what came from outside. */
const verdicts = new Map<string, boolean>();
const MAX_VERDICTS = 1_024;

function isSecret(key: string): boolean {
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const folded = key.toLowerCase().replace(/[^a-z0-9]/g, '');
  const verdict = SECRET_KEYS.has(folded) || SECRET_ENDINGS.test(folded);
  if (verdicts.size >= MAX_VERDICTS) verdicts.clear();
  verdicts.set(key, verdict);
  return verdict;
}

/** Members of every line; a field of the same name would appear twice in it. */
const RESERVED: ReadonlySet<string> = new Set(['level', 'time', 'message']);

/** A copy of `fields` that is safe and small enough to be written: the second net behind callers who log no secrets. */
export function redact(fields: LogFields): Record<string, unknown> {
  return redactEntries(fields, 1);
}

function redactEntries(fields: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let left = MAX_ITEMS;
  for (const [key, value] of Object.entries(fields)) {
    if (left-- === 0) {
      copy['…'] = 'more';
      break;
    }
    const name = depth === 1 && RESERVED.has(key) ? `${key}_` : key;
    copy[name] = isSecret(key) && value !== undefined && value !== null ? REDACTED : redactValue(value, depth + 1);
  }
  return copy;
}

function redactValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}… (${value.length} characters)` : value;
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : redactObject(value, depth);
    default:
      return value;
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return value.toJSON();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  // The depth also ends what refers to itself.
  if (depth > MAX_DEPTH) return '[…]';
  if (value instanceof Map || value instanceof Set) return `[${value.size} items]`;
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => redactValue(item, depth + 1));
    return value.length > MAX_ITEMS ? [...items, `… (${value.length} items)`] : items;
  }
  return redactEntries(value, depth);
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  // Expected failures say all in their message; a stack is for our own bugs.
  const stack = isAgentError(error) && error.kind !== 'unexpected' ? undefined : error.stack;
  return {
    name: error.name,
    message: redactValue(error.message, depth),
    ...('code' in error && typeof error.code === 'string' ? { errno: error.code } : {}),
    ...(stack === undefined ? {} : { stack: redactValue(stack, depth) }),
    ...(error.cause === undefined || depth > MAX_DEPTH ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}
