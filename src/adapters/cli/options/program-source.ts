import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../../domain/error/agent-error.js';
import type { CliInput, CliIo } from '../cli-dependencies.js';
import { usageError } from '../exit-status.js';

/** What one call of `execute` takes. */
const MAX_PROGRAM_BYTES = 8 * 1024 * 1024;
const ALLOWED = '-c CODE, the name of a file, or - to read the program from standard input';

/** The program named on the command line: `-c CODE`, a file, or `-` for the whole of standard input. */
export async function readProgram(
  argument: string | undefined,
  code: string | undefined,
  io: CliIo,
  signal: AbortSignal,
): Promise<string> {
  if (code !== undefined && argument !== undefined)
    throw usageError('FILE', 'given together with -c', `only one of: ${ALLOWED}`);
  if (code !== undefined) return bounded('-c', Buffer.from(code));
  if (argument === undefined) throw usageError('FILE', 'no program is given', ALLOWED);
  return argument === '-'
    ? bounded('-', await readAll(io.stdin, signal))
    : bounded('FILE', await readFile(resolve(io.cwd, argument)));
}

function bounded(name: string, bytes: Buffer): string {
  if (bytes.length > MAX_PROGRAM_BYTES)
    throw usageError(
      name,
      `the program is larger than ${MAX_PROGRAM_BYTES} bytes`,
      'a smaller program; mount large ones with --mount',
    );
  return bytes.toString('utf8');
}

async function readFile(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    try {
      const facts = await handle.stat();
      if (!facts.isFile() && !facts.isFIFO()) throw new Error('not a file');
      if (facts.size > MAX_PROGRAM_BYTES) return Buffer.alloc(MAX_PROGRAM_BYTES + 1);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw usageError('FILE', `${file} can't be read: ${messageOf(error)}`, 'a readable file with the program');
  }
}

async function readAll(stream: CliInput, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // A terminal that nobody types into must not keep Ctrl-C from ending the command.
  const stop = (): unknown => stream.destroy();
  signal.addEventListener('abort', stop);
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      chunks.push(bytes);
      length += bytes.length;
      if (length > MAX_PROGRAM_BYTES) break;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks);
}
