import { z } from 'zod';
import { foldWord } from './fields.js';
import { problemsOf } from './parse-arguments.js';
import { nameOf, placeIn, type Problem } from './problems.js';

/**
 * Readers of the large maps of a kernel's creation, which every start of a session waits for: one pass, no copies, and
 * what is wrong is noted with its place instead of thrown, so that all of it is told at once.
 */

/**
 * The value that stands at `at`. Puts what is wrong with it among `problems`; what it gives then is not to be used.
 */
export type Reader<T> = (value: unknown, at: string, problems: Problem[]) => T | undefined;

function wrong(at: string, allowed: string, problems: Problem[]): undefined {
  problems.push({ field: nameOf(at), allowed });
  return undefined;
}

export const anything: Reader<unknown> = (value) => value;

export const flag: Reader<boolean> = (value, at, problems) =>
  typeof value === 'boolean' ? value : wrong(at, 'true or false', problems);

export function text(min = 0, max = Infinity): Reader<string> {
  return (value, at, problems) => {
    if (typeof value !== 'string') return wrong(at, 'text', problems);
    if (value.length < min) return wrong(at, `at least ${min} characters long`, problems);
    return value.length > max ? wrong(at, `at most ${max} characters long`, problems) : value;
  };
}

/** @param allowed what `pattern` says, in words. */
export function textLike(pattern: RegExp, allowed: string): Reader<string> {
  return (value, at, problems) => {
    if (typeof value !== 'string') return wrong(at, 'text', problems);
    return pattern.test(value) ? value : wrong(at, allowed, problems);
  };
}

export function whole(min: number, max = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, at, problems) => {
    if (typeof value !== 'number') return wrong(at, 'a number', problems);
    if (!Number.isInteger(value)) return wrong(at, 'a whole number', problems);
    if (value < min) return wrong(at, `at least ${min}`, problems);
    return value > max ? wrong(at, `at most ${max}`, problems) : value;
  };
}

/** One of `values`, as `foldWord` reads it. */
export function word<const Value extends string>(values: readonly Value[]): Reader<Value> {
  return (value, at, problems) => {
    const folded = foldWord(value);
    return values.find((one) => one === folded) ?? wrong(at, `one of ${values.join(', ')}`, problems);
  };
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
  return (value, at, problems) => {
    if (!Array.isArray(value)) return wrong(at, 'an array', problems);
    if (value.length > max) return wrong(at, `at most ${max} entries`, problems);
    return value.map((item: unknown, index) => read(item, placeIn(at, index), problems) as T);
  };
}

/** A map with any keys. */
export function record<T>(read: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, at, problems) => {
    if (!isMap(value)) return wrong(at, 'a map', problems);
    const entries: Record<string, T> = {};
    for (const key of Object.keys(value)) entries[key] = read(value[key], placeIn(at, key), problems) as T;
    return entries;
  };
}

export const freeMap: Reader<Readonly<Record<string, unknown>>> = (value, at, problems) =>
  isMap(value) ? value : wrong(at, 'a map', problems);

/** A map of texts, taken as it is: these are the largest, an environment, an image's labels. */
export const textMap: Reader<Readonly<Record<string, string>>> = (value, at, problems) => {
  if (!isMap(value)) return wrong(at, 'a map', problems);
  for (const key of Object.keys(value)) if (typeof value[key] !== 'string') wrong(placeIn(at, key), 'text', problems);
  return value as Readonly<Record<string, string>>;
};

/** A map with the keys that `build` asks for; others are ignored. */
export function map<T>(build: (fields: Fields, at: string, problems: Problem[]) => T): Reader<T> {
  return (value, at, problems) => {
    if (!isMap(value)) return wrong(at, 'a map', problems);
    return build(new Fields(value, at, problems), at, problems);
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

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
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
