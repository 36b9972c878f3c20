import { showToml } from './config-sample.js';
import { ALL_KEYS } from './config-schema.js';
import type { LoadedConfig } from './load-config.js';
import { describeOrigin } from './origin.js';

/** A line of `ag config show`. */
export interface EffectiveKey {
  /** `section.key`. */
  readonly key: string;
  /** `null` = unset; a secret is `***`. */
  readonly value: unknown;
  /** The same as TOML. */
  readonly toml: string;
  readonly origin: string;
}

/** Every key that has an effect or was set, with its value and where that came from. Secrets are masked. */
export function effectiveConfig(config: LoadedConfig): readonly EffectiveKey[] {
  return ALL_KEYS.flatMap(({ section, name, path, definition }) => {
    const origin = config.origins.get(path) ?? { kind: 'default' };
    if (!definition.effective && origin.kind === 'default') return [];
    const actual = (config.values[section] as Readonly<Record<string, unknown>>)[name];
    const value = definition.secret === true && actual !== null ? '***' : actual;
    const toml = value === null ? '(unset)' : value === '***' ? '"***"' : showToml(definition, value);
    return [{ key: path, value, toml, origin: describeOrigin(origin) }];
  });
}
