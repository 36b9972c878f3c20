import { z } from 'zod';
import { parseBinarySize } from '../../domain/resource/binary-size.js';

/** What a key may hold: how raw TOML, or text from the environment or etcd, becomes a value, and how to say so. */
export interface ValueType<T> {
  /** Accepts the TOML form and, for scalars, its text form as well. */
  readonly schema: z.ZodType<T>;
  /** What is allowed, in words, as it is told in errors and in the sample. */
  readonly allowed: string;
  /** True for a path: `~` and relative forms are made absolute after parsing. */
  readonly isPath?: boolean;
  /** True for a list: text from the environment may be separated by commas. */
  readonly isList?: boolean;
  /** How a value is written in TOML, where that is not its JSON form. */
  readonly show?: (value: unknown) => string;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,253})|[0-9A-Fa-f:.]{2,45}(?:%[\w.-]+)?)?$/;
const UNITS: Readonly<Record<string, number>> = { K: 1, M: 2, G: 3, T: 4, P: 5 };

/** An issue without words of its own: the type's `allowed` says it all. */
const refuse = (context: z.RefinementCtx): never => {
  context.addIssue({ code: 'custom', message: '' });
  return z.NEVER;
};

export function text(options: { allowed?: string; pattern?: RegExp; maxLength?: number } = {}): ValueType<string> {
  const { pattern, maxLength = 4096 } = options;
  return {
    schema: z
      .string()
      .max(maxLength)
      .refine((value) => pattern?.test(value) ?? true),
    allowed: options.allowed ?? 'text',
  };
}

export const path: ValueType<string> = {
  schema: z
    .string()
    .min(1)
    .max(4096)
    .refine((value) => !value.includes('\0')),
  allowed: 'a path',
  isPath: true,
};

export const boolean: ValueType<boolean> = {
  schema: z.union([
    z.boolean(),
    z.string().transform((value, context) => {
      const word = value.toLowerCase();
      if (['true', '1', 'yes', 'on'].includes(word)) return true;
      return ['false', '0', 'no', 'off'].includes(word) ? false : refuse(context);
    }),
  ]),
  allowed: 'true or false',
};

function numeric(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value.trim()) ? Number(value) : value;
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): ValueType<number> {
  return {
    schema: z.preprocess(numeric, z.number().int().min(min).max(max)),
    allowed: max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min} on` : `a whole number from ${min} to ${max}`,
  };
}

/** Seconds, with fractions; at most ten years so that milliseconds stay exact. */
export function seconds(min = 0): ValueType<number> {
  return {
    schema: z.preprocess(numeric, z.number().min(min).max(315_360_000)),
    allowed: min === 0 ? 'seconds, 0 or more' : `seconds, ${min} or more`,
  };
}

/** A duration that may be switched off: the text `null` or `none` (TOML has no null). */
export const secondsOrNone: ValueType<number | null> = {
  schema: z.union([seconds().schema, z.enum(['none', 'null']).transform(() => null)]),
  allowed: 'seconds, or "none" for no limit',
};

export function oneOf<const W extends string>(
  words: readonly W[],
  options: { ignoreCase?: boolean } = {},
): ValueType<W> {
  return {
    schema: z.string().transform((value, context) => {
      const same = (word: W) =>
        word === value || (options.ignoreCase === true && word.toLowerCase() === value.toLowerCase());
      return words.find(same) ?? refuse(context);
    }),
    allowed: `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`,
  };
}

function showSize(value: unknown): string {
  if (typeof value !== 'number') return JSON.stringify(value);
  const unit = ['P', 'T', 'G', 'M', 'K'].find((name) => value > 0 && value % 1024 ** (UNITS[name] ?? 0) === 0);
  return unit === undefined ? String(value) : `"${value / 1024 ** (UNITS[unit] ?? 0)}${unit}"`;
}

/** Bytes: a whole number, or text with a binary unit such as `512M`, `1G`, `1.5 GiB` (lifecycle.md §7.1). */
export const size: ValueType<number> = {
  schema: z.union([
    z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
    z.string().transform((value, context) => {
      try {
        const bytes = Number(parseBinarySize(value));
        return Number.isSafeInteger(bytes) ? bytes : refuse(context);
      } catch {
        return refuse(context);
      }
    }),
  ]),
  allowed: 'bytes, or a size such as "512M" or "1G"',
  show: showSize,
};

const port = z.preprocess(numeric, z.number().int().min(1).max(65_535));

/** Splits `host:port`, `[v6]:port` and `:port`; `undefined` for anything else. */
function splitHostPort(value: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^:[\]]*)):(\d{1,5})$/.exec(value.trim());
  return match?.[3] === undefined ? undefined : { host: match[1] ?? match[2] ?? '', port: match[3] };
}

/** `host:port` as in a URL: IPv6 addresses in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An empty host means "find it": the caller picks the machine's own address. */
export const hostPort: ValueType<HostPort> = {
  schema: z.preprocess(
    (value) => (typeof value === 'string' ? splitHostPort(value) : value),
    z.strictObject({ host: z.string().trim().regex(HOST), port }),
  ),
  allowed: '"host:port" or { host = "…", port = 1…65535 }',
  show: (value) => (isHostPort(value) ? JSON.stringify(formatHostPort(value)) : JSON.stringify(value)),
};

function isHostPort(value: unknown): value is HostPort {
  return typeof value === 'object' && value !== null && 'host' in value && 'port' in value;
}

/** Inclusive; a TOML list, or the text `30000-31000` or `30000,31000`. */
export const portRange: ValueType<readonly [number, number]> = {
  schema: z
    .preprocess(
      (value) => {
        const match = typeof value === 'string' ? /^\s*\[?\s*(\d+)\s*[-,]\s*(\d+)\s*\]?\s*$/.exec(value) : null;
        return match === null ? value : [match[1], match[2]];
      },
      z.tuple([port, port]),
    )
    .refine(([low, high]) => low >= 1024 && low <= high),
  allowed: 'two ports from 1024 to 65535, the first not above the second: [30000, 31000]',
};

/** A number, −1 for the agent's own identity, or a name from the host's user database. */
export const userId: ValueType<number | string> = {
  schema: z.preprocess(
    numeric,
    z.union([
      z
        .number()
        .int()
        .min(-1)
        .max(2 ** 31),
      z.string().regex(/^[a-z_][a-z0-9_.-]{0,31}\$?$/i),
    ]),
  ),
  allowed: 'a number, -1 for the default, or a name known on this host',
};

export function listOf<T>(item: ValueType<T>, maxItems = 256): ValueType<readonly T[]> {
  return { schema: z.array(item.schema).max(maxItems), allowed: `a list; each item: ${item.allowed}`, isList: true };
}

/** One item or a list of them, which may also be text with commas. */
export function oneOrMore<T>(item: ValueType<T>): ValueType<readonly T[]> {
  const list = listOf(item, 64);
  return {
    schema: z.preprocess(
      (value) =>
        typeof value === 'string' && value.includes(',') ? value.split(',').map((part) => part.trim()) : value,
      z.union([list.schema, item.schema.transform((value) => [value])]),
    ),
    allowed: `${item.allowed}, or a list of such`,
    isList: true,
    show: (value) =>
      Array.isArray(value)
        ? `[${value.map((each) => (item.show ?? JSON.stringify)(each)).join(', ')}]`
        : JSON.stringify(value),
  };
}

/** A table whose keys are not ours to check. */
export const freeTable: ValueType<Readonly<Record<string, unknown>>> = {
  schema: z.record(z.string(), z.unknown()),
  allowed: 'a table',
};

/** A table with the given keys, in kebab-case or snake_case, all of them optional; keys that are not known are dropped. */
export function tableWith<S extends Readonly<Record<string, ValueType<unknown>>>>(
  keys: S,
): ValueType<{ readonly [K in keyof S]?: S[K] extends ValueType<infer T> ? T : never }> {
  const shape = Object.fromEntries(Object.entries(keys).map(([name, { schema }]) => [name, schema.optional()]));
  return {
    // The shape is made from the very keys that the result type is derived from.
    schema: z.preprocess(kebabKeys, z.object(shape)) as unknown as ValueType<{
      readonly [K in keyof S]?: S[K] extends ValueType<infer T> ? T : never;
    }>['schema'],
    allowed: `a table with the keys ${Object.keys(keys).join(', ')}`,
  };
}

/** A table of like values under chosen names. */
export function tableOf<K extends string, T>(
  name: ValueType<K>,
  value: ValueType<T>,
): ValueType<Readonly<Partial<Record<K, T>>>> {
  return {
    schema: z.record(z.string(), value.schema).transform((table, context) => {
      const entries = Object.entries(table).map(([key, item]) => {
        const parsed = name.schema.safeParse(key.replaceAll('-', '_'));
        return parsed.success ? ([parsed.data, item] as const) : refuse(context);
      });
      return Object.fromEntries(entries) as Partial<Record<K, T>>;
    }),
    allowed: `a table; each name: ${name.allowed}; each value: ${value.allowed}`,
  };
}

/** `service_name` and `service-name` are the same key. */
export function kebabKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name.replaceAll('_', '-'), item as unknown]));
}
