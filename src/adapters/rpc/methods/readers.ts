import { z } from 'zod';
import { EnumWord, isMap } from '../dialect/wire-values.js';
import { problemsOf } from './parse-arguments.js';
import { invalidFields, nameOf, placeIn, type Problem } from './problems.js';

/**
 * Readers of the large maps of a kernel's creation, which every start of a session waits for: one pass, no copies, and
 * what is wrong is noted with its place instead of thrown, so that all of it is told at once.
 */

/**
 * The value that stands at `at`. Puts what is wrong with it among `problems`; what it gives then is not to be used.
 */
export type Reader<T> = (value: unknown, at: string, problems: Problem[]) => T | undefined;

/**
 * What `read` makes of the value that stands at `at`; `''` is the whole document.
 *
 * @throws InvalidArgumentError that names every key at fault and what it may hold.
 */
export function readAll<T>(read: Reader<T>, value: unknown, at: string): T {
  const problems: Problem[] = [];
  const got = read(value, at, problems);
  if (got === undefined || problems.length > 0) throw invalidFields(problems);
  return got;
}

/** The value itself, if `complaint` has none: what is allowed instead. */
function checked<T>(complaint: (value: unknown) => string | undefined): Reader<T> {
  return (value, at, problems) => {
    const allowed = complaint(value);
    if (allowed === undefined) return value as T;
    problems.push({ field: nameOf(at), allowed });
    return undefined;
  };
}

export const anything: Reader<unknown> = (value) => value;

export const flag = checked<boolean>((value) => (typeof value === 'boolean' ? undefined : 'true or false'));

export function text(min = 0, max = Infinity): Reader<string> {
  return checked((value) => {
    if (typeof value !== 'string') return 'text';
    if (value.length < min) return `at least ${min} characters long`;
    return value.length > max ? `at most ${max} characters long` : undefined;
  });
}

/** @param allowed what `pattern` says, in words. */
export function textLike(pattern: RegExp, allowed: string): Reader<string> {
  return checked((value) => {
    if (typeof value !== 'string') return 'text';
    return pattern.test(value) ? undefined : allowed;
  });
}

export function whole(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return checked((value) => {
    if (typeof value !== 'number') return 'a number';
    if (!Number.isInteger(value)) return 'a whole number';
    if (value < min) return `at least ${min}`;
    return value > max ? `at most ${max}` : undefined;
  });
}

/** `SINGLE_NODE`, `single-node` and the enumeration's member are the same word. */
export function foldWord(value: unknown): unknown {
  const text = value instanceof EnumWord ? value.value : value;
  return typeof text === 'string' ? text.toLowerCase().replaceAll('_', '-') : text;
}

/** One of `values`, sent as text in any case and with `_` or `-`, or as a member of an enumeration (ext 6). */
export function word<const Value extends string>(values: readonly Value[]): Reader<Value> {
  const known: readonly unknown[] = values;
  return changed(
    foldWord,
    checked((value) => (known.includes(value) ? undefined : `one of ${values.join(', ')}`)),
  );
}

/** What `read` makes of the value that `change` made. */
export function changed<T>(change: (value: unknown) => unknown, read: Reader<T>): Reader<T> {
  return (value, at, problems) => read(change(value), at, problems);
}

/** What `make` makes of what was read. */
export function made<From, To>(read: Reader<From>, make: (value: From) => To): Reader<To> {
  return (value, at, problems) => {
    const got = read(value, at, problems);
    return got === undefined ? undefined : make(got);
  };
}

export function list<T>(read: Reader<T>, max: number): Reader<readonly T[]> {
  const array = checked<readonly unknown[]>((value) => {
    if (!Array.isArray(value)) return 'an array';
    return value.length > max ? `at most ${max} entries` : undefined;
  });
  return (value, at, problems) =>
    array(value, at, problems)?.map((item, index) => read(item, placeIn(at, index), problems) as T);
}

/** Keys of any name. */
export const freeMap = checked<Readonly<Record<string, unknown>>>((value) => (isMap(value) ? undefined : 'a map'));

export function record<T>(read: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, at, problems) => {
    const source = freeMap(value, at, problems) ?? {};
    const entries: Record<string, T> = {};
    for (const key of Object.keys(source)) entries[key] = read(source[key], placeIn(at, key), problems) as T;
    return entries;
  };
}

/** A map of texts, taken as it is: these are the largest, an environment, an image's labels. */
export const textMap: Reader<Readonly<Record<string, string>>> = (value, at, problems) => {
  const source = freeMap(value, at, problems) ?? {};
  for (const key of Object.keys(source)) {
    if (typeof source[key] !== 'string') problems.push({ field: placeIn(at, key), allowed: 'text' });
  }
  return source as Readonly<Record<string, string>>;
};

/** A map with the keys that `build` asks for; others are ignored. */
export function map<T>(build: (fields: Fields) => T): Reader<T> {
  return (value, at, problems) => {
    const entries = freeMap(value, at, problems);
    return entries === undefined ? undefined : build(new Fields(entries, at, problems));
  };
}

/** The entries of a map. Nil is the same as absence. */
export class Fields {
  constructor(
    private readonly entries: Readonly<Record<string, unknown>>,
    private readonly at: string,
    private readonly problems: Problem[],
  ) {}

  optional<T>(key: string, read: Reader<T>): T | undefined {
    const value = this.entries[key] ?? undefined;
    return value === undefined ? undefined : read(value, placeIn(this.at, key), this.problems);
  }

  /** Absence is a problem, and told as one. */
  required<T>(key: string, read: Reader<T>): T {
    return read(this.entries[key] ?? undefined, placeIn(this.at, key), this.problems) as T;
  }
}

/** The reader that a schema is. */
export function ofSchema<T>(schema: z.ZodType<T>): Reader<T> {
  return (value, at, problems) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    problems.push(...problemsOf(parsed.error.issues, at));
    return undefined;
  };
}

/** The schema that a reader is. */
export function asSchema<T>(read: Reader<T>): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const problems: Problem[] = [];
    const got = read(value, '', problems);
    for (const { field, allowed } of problems) {
      const path = field === nameOf('') ? [] : [field];
      context.addIssue({ code: 'custom', path, message: allowed });
    }
    return problems.length > 0 ? z.NEVER : (got as T);
  });
}
