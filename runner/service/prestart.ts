import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile, chmod, mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HOME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import type { Console } from '../console.js';
import type { PrestartAction } from './service-definition.js';
import { formatText, type Variables } from './template.js';

const COMMAND_TIMEOUT_MS = 25_000;
const MAX_OUTPUT_BYTES = 1 << 20;

/** Runs the actions before a service's start, in order; results go into the variables (krunner.md §5.2). */
export async function runPrestart(
  actions: readonly PrestartAction[],
  variables: Variables,
  env: Environment,
  console: Console,
): Promise<void> {
  for (const { action, args, ref } of actions) {
    const result = await runAction(action, args, variables, env, console);
    if (ref !== undefined) variables[ref] = result;
  }
}

async function runAction(
  action: string,
  args: Readonly<Record<string, unknown>>,
  variables: Variables,
  env: Environment,
  console: Console,
): Promise<unknown> {
  const text = (key: string): string => formatText(asText(args[key], action, key), variables);
  const lines = (): string[] => asList(args['body'], action, 'body').map((line) => formatText(line, variables));
  const mode = Number.parseInt(typeof args['mode'] === 'string' ? args['mode'] : '644', 8) & 0o7777;
  switch (action) {
    case 'write_file': {
      const path = resolve(HOME, text('filename'));
      const body = lines().map((line) => `${line}\n`);
      await (args['append'] === true ? appendFile : writeFile)(path, body.join(''));
      await chmod(path, mode);
      return null;
    }
    case 'write_tempfile': {
      const path = `/tmp/${randomUUID()}.py`;
      await writeFile(path, lines().join(''), { mode: 0o600 });
      await chmod(path, mode);
      return path;
    }
    case 'run_command': {
      const argv = asList(args['command'], action, 'command').map((word) => formatText(word, variables));
      return runCommand(argv, env, args['echo'] === true ? console : undefined);
    }
    case 'mkdir':
      await mkdir(resolve(HOME, text('path')), { recursive: true });
      return null;
    case 'log':
      console.log('INFO', text('message'));
      return null;
    default:
      throw new Error(`unknown prestart action "${action}"`);
  }
}

function runCommand(argv: readonly string[], env: Environment, echo: Console | undefined): Promise<object> {
  const [program = '', ...args] = argv;
  const options = { cwd: HOME, env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
  return new Promise((done, fail) => {
    execFile(program, args, options, (error, out, err) => {
      // The exit code does not matter, but a program that is not there does.
      if (error && typeof error.code === 'string') fail(new Error(error.message));
      else done({ out, err });
      if (echo) void echo.write(Buffer.from(out + err));
    });
  });
}

function asText(value: unknown, action: string, key: string): string {
  if (typeof value !== 'string') throw new Error(`prestart action "${action}" needs "${key}"`);
  return value;
}

function asList(value: unknown, action: string, key: string): string[] {
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string')) {
    throw new Error(`prestart action "${action}" needs a list "${key}"`);
  }
  return value;
}
