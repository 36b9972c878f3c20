import { z } from 'zod';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';

/** Building blocks of the argument schemas: what a Manager, the reference's own tools and a hand-written client send. */

export const kernelId = z.string().transform((text) => parseKernelId(text));
export const sessionId = z.string().transform((text) => parseSessionId(text));

/** Text; nil and absence mean empty. */
export const textOrEmpty = orDefault(z.string(), '');

/** A map with any content; nil and absence mean empty. */
export const freeMap = orDefault(z.record(z.string(), z.unknown()), {});

/** The schema's value, or `fallback` for nil and absence. */
export function orDefault<T>(schema: z.ZodType<T>, fallback: T): z.ZodType<T> {
  return schema.nullish().transform((value) => value ?? fallback);
}

/** The schema's value, or `undefined` for nil and absence. */
export function optional<T>(schema: z.ZodType<T>): z.ZodType<T | undefined> {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** The object without its undefined values, for types that know only "there" and "not there". */
export function present<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const kept: { [Key in keyof T]?: Exclude<T[Key], undefined> } = {};
  for (const key of Object.keys(object) as (keyof T)[]) {
    const value = object[key];
    if (value !== undefined) kept[key] = value as (typeof kept)[typeof key];
  }
  return kept;
}
