import type { ValueType } from './value-type.js';

/** What a default may depend on. */
export interface DefaultContext {
  /** No etcd is configured: this machine stands on its own. */
  readonly standalone: boolean;
  /** The Manager's CURVE key is configured. */
  readonly curveConfigured: boolean;
}

/** An environment variable that overrides the whole value, or one half of a `host:port`. */
export interface EnvOverride {
  readonly name: string;
  readonly part?: 'host' | 'port';
}

export interface KeyDefinition<T> {
  readonly type: ValueType<T>;
  readonly fallback: T | ((context: DefaultContext) => T);
  /** One or two sentences: what it does, unit, source. Becomes the sample's comment. */
  readonly help: string;
  readonly aliases?: readonly string[];
  readonly env?: readonly EnvOverride[];
  /** Never shown. */
  readonly secret?: boolean;
  /** The reference does not know it, so that what etcd replaces for the reference does not touch it. */
  readonly own?: boolean;
  /** False: the reference knows it and we accept it, but nothing here depends on it yet. */
  readonly effective: boolean;
  /** TOML shown in the sample where the default is "unset". */
  readonly example?: string;
  /** How the default reads in the sample when it depends on something. */
  readonly defaultText?: string;
}

export interface SectionDefinition<K extends Readonly<Record<string, KeyDefinition<unknown>>>> {
  readonly help: string;
  readonly keys: K;
}

type Extra<T> = Partial<Omit<KeyDefinition<T>, 'type' | 'fallback' | 'help' | 'effective'>>;

/** A key with a default. */
export function key<T>(
  type: ValueType<T>,
  fallback: NoInfer<T> | ((context: DefaultContext) => NoInfer<T>),
  help: string,
  extra: Extra<T> = {},
): KeyDefinition<T> {
  return { type, fallback, help, effective: true, ...extra };
}

/** A key that is `null` unless it is set. */
export function optional<T>(type: ValueType<T>, help: string, extra: Extra<T | null> = {}): KeyDefinition<T | null> {
  return { type: type, fallback: null, help, effective: true, ...extra };
}

/** A key of the reference that is checked and otherwise has no effect yet. */
export function known<T>(type: ValueType<T>, help: string, extra: Extra<T | null> = {}): KeyDefinition<T | null> {
  return { ...optional(type, help, extra), effective: false };
}

export function section<K extends Readonly<Record<string, KeyDefinition<unknown>>>>(
  help: string,
  keys: K,
): SectionDefinition<K> {
  return { help, keys };
}
