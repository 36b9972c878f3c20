import type { RunnerApp } from '../../src/domain/krunner-wire/krunner-wire.js';

export interface PrestartAction {
  readonly action: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Variable that takes the action's result. */
  readonly ref?: string;
}

/** A service that an image defines in /etc/backend.ai/service-defs/<name>.json (krunner.md §5.1). */
export interface ServiceDefinition {
  readonly name: string;
  /** Arguments, or a script for `shell`. */
  readonly command: string | readonly string[];
  readonly shell: string | undefined;
  readonly noop: boolean;
  readonly urlTemplate: string;
  readonly prestart: readonly PrestartAction[];
  readonly env: Readonly<Record<string, string>>;
  readonly allowedEnvs: readonly string[];
  readonly allowedArguments: readonly string[];
  readonly defaultArguments: Readonly<Record<string, unknown>>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'string');

function strings(value: unknown, key: string): string[] {
  if (value === undefined) return [];
  if (!isStrings(value)) throw new Error(`"${key}" must be a list of texts`);
  return value;
}

function record(value: unknown, key: string): Record<string, unknown> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw new Error(`"${key}" must be an object`);
  return value;
}

function actions(value: unknown): PrestartAction[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error('"prestart" must be a list');
  return value.map((entry: unknown) => {
    if (!isRecord(entry) || typeof entry['action'] !== 'string' || !isRecord(entry['args'])) {
      throw new Error('each of "prestart" must have "action" and "args"');
    }
    const { action, args, ref } = entry;
    return { action, args, ...(typeof ref === 'string' ? { ref } : {}) };
  });
}

/** Reads a definition file; throws with what is wrong in it. Unknown keys are let through. */
export function parseServiceDefinition(name: string, text: string): ServiceDefinition {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) throw new Error('it must be an object');
  const { command, shell, noop, url_template: urlTemplate } = value;
  if (typeof command !== 'string' && !isStrings(command))
    throw new Error('"command" must be a text or a list of texts');
  if (shell !== undefined && shell !== null && typeof shell !== 'string') throw new Error('"shell" must be a text');
  const env = Object.entries(record(value['env'], 'env')).map(([key, entry]) => [key, String(entry)] as const);
  return {
    name,
    command,
    shell: shell === undefined ? 'bash' : (shell ?? '') || undefined,
    noop: noop === true,
    urlTemplate: typeof urlTemplate === 'string' ? urlTemplate : '',
    prestart: actions(value['prestart'] ?? value['prestart_actions']),
    env: Object.fromEntries(env),
    allowedEnvs: strings(value['allowed_envs'], 'allowed_envs'),
    allowedArguments: strings(value['allowed_arguments'], 'allowed_arguments'),
    defaultArguments: record(value['default_arguments'], 'default_arguments'),
  };
}

/** What `get-apps` tells of it; empty parts are left out. */
export const appOf = (definition: ServiceDefinition): RunnerApp => ({
  name: definition.name,
  ...(definition.urlTemplate === '' ? {} : { url_template: definition.urlTemplate }),
  ...(definition.allowedArguments.length === 0 ? {} : { allowed_arguments: definition.allowedArguments }),
  ...(definition.allowedEnvs.length === 0 ? {} : { allowed_envs: definition.allowedEnvs }),
});

/** Default arguments overlaid with the client's, as argv words (krunner.md §5.4). Throws for one that is not allowed. */
export function argumentWords(definition: ServiceDefinition, given: Readonly<Record<string, unknown>>): string[] {
  for (const name of Object.keys(given)) {
    if (!definition.allowedArguments.includes(name)) {
      throw new Error(`Argument ${name} not allowed for service ${definition.name}`);
    }
  }
  return Object.entries({ ...definition.defaultArguments, ...given }).flatMap(([name, value]) => [
    name,
    ...(typeof value === 'string' ? [value] : isStrings(value) ? value : []),
  ]);
}

/** The client's variables, checked: only allowed names that the environment does not have yet. */
export function checkedEnvs(
  definition: ServiceDefinition,
  given: Readonly<Record<string, unknown>>,
  present: Readonly<Record<string, string>>,
): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!definition.allowedEnvs.includes(name) || Object.hasOwn(present, name)) {
      throw new Error(`Environment variable ${name} not allowed for service ${definition.name}`);
    }
    checked[name] = String(value);
  }
  return checked;
}

/** Splits a command by POSIX shell quoting, for a script without a shell. */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < command.length; at += 1) {
    const char = command[at] ?? '';
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const end = command.indexOf(char, at + 1);
      if (end < 0) throw new Error('a quote is not closed');
      word = (word ?? '') + command.slice(at + 1, end);
      at = end;
    } else {
      if (char === '\\') at += 1;
      word = (word ?? '') + (command[at] ?? '');
    }
  }
  return word === undefined ? words : [...words, word];
}
