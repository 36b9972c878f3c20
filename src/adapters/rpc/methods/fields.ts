import { z } from 'zod';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import { EnumWord } from '../dialect/wire-values.js';

/** Building blocks of the argument schemas: what a Manager, the reference's own tools and a hand-written client send. */

export const kernelId = z.string().transform((text) => parseKernelId(text));
export const sessionId = z.string().transform((text) => parseSessionId(text));

/**
 * A map of the wire in which nil is the same as absence: `.optional()` and `.default()` say what both mean. Keys that are not
 * in `shape` are ignored.
 */
export function wireMap<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(withoutNils, z.object(shape));
}

function withoutNils(value: unknown): unknown {
  if (!isMap(value) || !Object.values(value).includes(null)) return value;
  const kept: Record<string, unknown> = {};
  for (const key of Object.keys(value)) if (value[key] !== null) kept[key] = value[key];
  return kept;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Text in a `wireMap`; nil and absence mean empty. */
export const text = z.string().default('');

/** Text; nil and absence mean empty. */
export const textOrEmpty = orDefault(z.string(), '');

/** A map with any content; nil and absence mean empty. */
export const freeMap = orDefault(z.record(z.string(), z.unknown()), {});

/**
 * A map of texts. One pass, since these are the large maps of a kernel's config: an environment, an image's labels.
 */
export const textMap: z.ZodType<Record<string, string>> = z.unknown().transform((value, context) => {
  if (!isMap(value)) {
    context.addIssue({ code: 'custom', message: 'a map' });
    return z.NEVER;
  }
  for (const key of Object.keys(value)) {
    if (typeof value[key] !== 'string') context.addIssue({ code: 'custom', path: [key], message: 'text' });
  }
  return value as Record<string, string>;
});

/** The schema's value, or `fallback` for nil and absence. */
export function orDefault<T>(schema: z.ZodType<T>, fallback: T): z.ZodType<T> {
  return schema.nullish().transform((value) => value ?? fallback);
}

/** The schema's value, or `undefined` for nil and absence. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** One of `values`, sent as text in any case and with `_` or `-`, or as a member of an enumeration (ext 6). */
export function word<const Value extends string>(values: readonly Value[]): z.ZodType<Value> {
  return z.preprocess(foldWord, z.enum(values));
}

/** `SINGLE_NODE`, `single-node` and the enumeration's member are the same word. */
export function foldWord(value: unknown): unknown {
  const text = value instanceof EnumWord ? value.value : value;
  return typeof text === 'string' ? text.toLowerCase().replaceAll('_', '-') : text;
}

/** The object without its undefined values, for types that know only "there" and "not there". */
export function present<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}
