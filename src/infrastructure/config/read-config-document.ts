import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid } from '../../domain/error/errors.js';
import { expandPath } from './expand-path.js';

export interface ConfigLocation {
  /** `--config FILE`. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
}

export interface ConfigDocument {
  readonly file: string;
  readonly table: Readonly<Record<string, unknown>>;
}

/** No configuration is near this size; a larger one is a mistake. */
const MAX_FILE_BYTES = 1024 * 1024;

function missing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function readBounded(file: string): string {
  const descriptor = openSync(file, 'r');
  try {
    const facts = fstatSync(descriptor);
    if (!facts.isFile()) throw new Error('not a regular file');
    if (facts.size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

function parseToml(file: string, content: string): ConfigDocument {
  try {
    return { file, table: parse(content) };
  } catch (error) {
    // The parser's message goes on with the lines around the place, which may hold a password.
    const reason =
      messageOf(error)
        .split('\n')[0]
        ?.replace(/^Invalid TOML document: /, '') ?? '';
    const place = error instanceof TomlError ? `${file}:${error.line}:${error.column}` : file;
    throw configurationInvalid(`${place}: not valid TOML: ${reason}`, {
      field: file,
      hint: 'correct the file at this line and column',
    });
  }
}

/**
 * Reads the configuration file by the precedence of lifecycle.md §7.1: the option, `BACKEND_CONFIG_FILE`, `./agent.toml`,
 * `~/.config/backend.ai/agent.toml`, `/etc/backend.ai/agent.toml`. `undefined` if none of the last three is there; a
 * file that was asked for and can't be read is a ConfigurationError.
 */
export function readConfigDocument(location: ConfigLocation): ConfigDocument | undefined {
  const { env, cwd, home } = location;
  const asked = location.file ?? (env['BACKEND_CONFIG_FILE'] || undefined);
  const candidates =
    asked === undefined
      ? [resolve(cwd, 'agent.toml'), resolve(home, '.config/backend.ai/agent.toml'), '/etc/backend.ai/agent.toml']
      : [expandPath(asked, { cwd, home })];
  for (const file of candidates) {
    let content: string;
    try {
      content = readBounded(file);
    } catch (error) {
      if (asked === undefined && missing(error)) continue;
      throw configurationInvalid(`${file}: can't be read: ${messageOf(error)}`, {
        field: location.file === undefined ? (asked === undefined ? file : 'BACKEND_CONFIG_FILE') : '--config',
        allowed: 'a readable TOML file of at most 1 MiB',
        hint: 'name another file with --config FILE, or leave it out to use the built-in defaults',
        cause: error,
      });
    }
    return parseToml(file, content);
  }
  return undefined;
}
