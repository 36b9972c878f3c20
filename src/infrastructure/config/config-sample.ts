import { CONFIG_SCHEMA } from './config-schema.js';
import type { KeyDefinition } from './key-definition.js';

const WIDTH = 110;
/** Their mere presence says that this machine belongs to a cluster, so even the header stays a comment. */
const OFF_BY_DEFAULT: ReadonlySet<string> = new Set(['etcd', 'redis']);

const HEAD = `# Configuration of the Backend.AI Agent, made from its schema by "backend.ai ag config sample".
# Every key stands behind a bare "#" with its default (or an example if it is unset), so this file as it stands
# changes nothing. Keys may be written in kebab-case or snake_case. The file is looked for at --config FILE,
# $BACKEND_CONFIG_FILE, ./agent.toml, ~/.config/backend.ai/agent.toml and /etc/backend.ai/agent.toml; with none
# at all, or without [etcd], this is a machine of its own.
`;

/** Breaks text at spaces into comment lines. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line !== '#' && line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

/** What a value looks like in TOML. */
export function showToml(definition: KeyDefinition<unknown>, value: unknown): string {
  return (definition.type.show ?? JSON.stringify)(value);
}

function assignment(name: string, definition: KeyDefinition<unknown>): string {
  const { fallback, example } = definition;
  const value: unknown =
    typeof fallback === 'function'
      ? (fallback as (context: object) => unknown)({ standalone: true, curveConfigured: false })
      : fallback;
  return `#${name} = ${example ?? showToml(definition, value)}`;
}

function effectiveKey(name: string, definition: KeyDefinition<unknown>): string {
  const { help, type, aliases = [], env = [], defaultText } = definition;
  const notes = [
    help,
    `Allowed: ${type.allowed}.`,
    defaultText === undefined ? '' : `Default: ${defaultText}.`,
    aliases.length === 0 ? '' : `Also called ${aliases.join(', ')}.`,
    env.length === 0 ? '' : `Environment: ${env.map((variable) => variable.name).join(', ')}.`,
  ];
  return [...comment(notes.filter((note) => note !== '').join(' ')), assignment(name, definition)].join('\n');
}

function sectionText(name: string, help: string, keys: readonly (readonly [string, KeyDefinition<unknown>])[]): string {
  const header = OFF_BY_DEFAULT.has(name) ? `#[${name}]` : `[${name}]`;
  const blocks = keys
    .filter(([, definition]) => definition.effective)
    .map(([key, definition]) => effectiveKey(key, definition));
  const without = keys.filter(([, definition]) => !definition.effective);
  if (without.length > 0) {
    const lines = without.map(([key, definition]) => `${assignment(key, definition)}  # ${definition.help}`);
    blocks.push(['# Known, without effect here yet:', ...lines].join('\n'));
  }
  return [[...comment(help), header].join('\n'), ...blocks].join('\n\n');
}

/** A commented TOML file with every key; as it stands it is the built-in configuration. */
export function configSample(): string {
  const sections = Object.entries(CONFIG_SCHEMA).map(([name, { help, keys }]) =>
    sectionText(name, help, Object.entries(keys as Readonly<Record<string, KeyDefinition<unknown>>>)),
  );
  return `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`;
}
