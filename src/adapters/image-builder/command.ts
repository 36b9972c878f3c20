import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Kept of stderr for an error message. */
const STDERR_LIMIT = 16 * 1024;
/** Between the request to end and the order to. */
const KILL_AFTER_MS = 2_000;

export interface CommandOptions {
  readonly signal: AbortSignal;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called for each line that the program writes to descriptor 3. */
  readonly onStatusLine?: (line: string) => void;
}

export interface CommandResult {
  readonly exitCode: number;
  /** The last 16 KiB of it. */
  readonly stderr: string;
}

/**
 * Runs a program to its end with English messages and no input. Rejects with the spawn error (`code` is `ENOENT` if
 * the program is missing) or, once the program is gone, with the signal's reason. stdout is thrown away.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...options.env },
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_LIMIT);
  });
  const statusPipe = child.stdio[3] as Readable | undefined;
  if (statusPipe) {
    createInterface({ input: statusPipe }).on('line', (line) => options.onStatusLine?.(line));
  }
  const exitCode = await untilClosed(child, options.signal);
  options.signal.throwIfAborted();
  return { exitCode, stderr };
}

/** The standard output of a program as a stream; the stream fails if the program does. Destroying it ends the program. */
export async function* commandOutput(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_LIMIT);
  });
  const closed = untilClosed(child, signal);
  // Observed below; a reader that stops early must not leave an unhandled rejection behind.
  closed.catch(() => undefined);
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
    const exitCode = await closed;
    signal.throwIfAborted();
    if (exitCode !== 0) throw new Error(`${program} failed (${exitCode}): ${stderr.trim().slice(-500)}`);
  } finally {
    child.kill('SIGKILL');
  }
}

function untilClosed(child: ReturnType<typeof spawn>, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    let killTimer: NodeJS.Timeout | undefined;
    const end = () => {
      child.kill('SIGTERM');
      killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    };
    signal.addEventListener('abort', end, { once: true });
    const settle = (then: () => void) => {
      clearTimeout(killTimer);
      signal.removeEventListener('abort', end);
      then();
    };
    child.once('error', (error) => settle(() => reject(error)));
    child.once('close', (code) => settle(() => resolve(code ?? 128)));
  });
}
