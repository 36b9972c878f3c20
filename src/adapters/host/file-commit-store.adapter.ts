import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants as zlib, createGzip } from 'node:zlib';
import type { CommitFile, CommitStore } from '../../application/ports/commit-store.port.js';
import { isAbortError, isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { TEMPORARY_PREFIX } from './atomic-file.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'free space there, or set agent.image-commit-path to another file system',
  EDQUOT: 'raise the quota there, or set agent.image-commit-path to another folder',
  EROFS: 'the file system is read-only: set agent.image-commit-path to another one',
  EACCES: 'let the agent write to agent.image-commit-path',
  ELOOP: 'a symbolic link is in the way: look at what put it there',
  ENOTDIR: 'something that is no folder is in the way: look at what put it there',
  EISDIR: 'a folder is in the way: look at what put it there',
};

/**
 * Files of mode 0600 in folders of mode 0750, all made when needed. Symlinks are followed in the path that the operator
 * named and nowhere below: each step goes through a descriptor of the folder above it.
 */
export class FileCommitStore implements CommitStore {
  readonly #root: string;
  readonly #prefix: string;

  /** Agents may share a `root`: by `owner` each knows its own half-written files. */
  constructor(options: { readonly root: string; readonly owner: string }) {
    this.#root = options.root;
    this.#prefix = `${TEMPORARY_PREFIX}${Buffer.from(options.owner).toString('base64url').slice(0, 100)}-`;
  }

  async save({ subfolder, filename }: CommitFile, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    try {
      signal.throwIfAborted();
      await mkdir(this.#root, { recursive: true, mode: 0o750 });
      await using root = await openFolder(this.#root);
      await mkdir(at(root, subfolder), { mode: 0o750 }).catch(unlessThere);
      await using folder = await openFolder(at(root, subfolder), O_NOFOLLOW);
      const temporary = at(folder, `${this.#prefix}${randomBytes(8).toString('hex')}`);
      try {
        await writeCompressed(temporary, tar, signal);
        await rename(temporary, at(folder, filename));
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await folder.sync();
    } catch (error) {
      throw failure(`the image could not be written to ${subfolder}/${filename} in ${this.#root}`, error);
    }
  }

  async sweep(): Promise<void> {
    try {
      await mkdir(this.#root, { recursive: true, mode: 0o750 });
      await using root = await openFolder(this.#root);
      for await (const { name } of await opendir(itself(root))) await this.#sweepFolder(root, name);
    } catch (error) {
      throw failure(`half-written images in ${this.#root} could not be removed`, error);
    }
  }

  async #sweepFolder(root: FileHandle, name: string): Promise<void> {
    let opened: FileHandle;
    try {
      opened = await openFolder(at(root, name), O_NOFOLLOW);
    } catch {
      // A file, a symlink, or a folder that is not for us: nothing of ours is in it.
      return;
    }
    await using folder = opened;
    for await (const entry of await opendir(itself(folder))) {
      if (entry.name.startsWith(this.#prefix)) await rm(at(folder, entry.name), { force: true });
    }
  }
}

/** Fast rather than small: the level costs the processors of those who work on this machine. */
async function writeCompressed(path: string, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  await using file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  const sink = async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) await writeAll(file, chunk);
  };
  await pipeline(tar, createGzip({ level: zlib.Z_BEST_SPEED }), sink, { signal });
  await file.sync();
}

async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let rest = data; rest.length > 0;) rest = rest.subarray((await file.write(rest)).bytesWritten);
}

function openFolder(path: string, more = 0): Promise<FileHandle> {
  return open(path, O_RDONLY | O_DIRECTORY | more);
}

function itself(folder: FileHandle): string {
  return `/proc/self/fd/${folder.fd}`;
}

/** An entry of an open folder, whatever its path leads to meanwhile. */
function at(folder: FileHandle, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw storageFailure(`'${name}' is not the name of an entry`);
  }
  return `${itself(folder)}/${name}`;
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function failure(what: string, error: unknown): Error {
  if (isAgentError(error) || isAbortError(error)) return error as Error;
  const code = codeOf(error);
  // Not a failure of this file system: what was to be written could not be read.
  if (code === '' && error instanceof Error) return error;
  const reason = messageOf(error).replaceAll(/'?\/proc\/self\/fd\/\d+\/?/g, "'");
  const hint = HINTS[code];
  return storageFailure(`${what}: ${reason}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
