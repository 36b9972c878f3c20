import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { invalidArgument } from '../../domain/error/errors.js';
import type { DirectoryHandle } from './directory-handle.js';
import { errorCode } from './storage-error.js';

const { O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_WRONLY } = constants;
const MAX_PATH_BYTES = 4_096;
const MAX_NAME_BYTES = 255;

/** The names of a path relative to a scratch root. Throws InvalidArgumentError for one that would leave it. */
export function pathNames(path: string): readonly [directories: readonly string[], file: string] {
  const names = path.split('/');
  const file = names.pop() ?? '';
  const wrong =
    Buffer.byteLength(path) > MAX_PATH_BYTES ||
    path.includes('\0') ||
    [...names, file].some(
      (name) => name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > MAX_NAME_BYTES,
    );
  if (wrong) {
    throw invalidArgument(`'${path.slice(0, 100)}' is not a path in a scratch directory.`, {
      field: 'path',
      allowed: 'a relative path such as work/.bashrc, without "." and ".." parts',
    });
  }
  return [names, file];
}

export interface FileToWrite {
  readonly name: string;
  readonly data: string | AsyncIterable<Uint8Array>;
  readonly mode: number;
  readonly onlyIfAbsent: boolean;
}

/**
 * Puts a whole file in place: who looks sees the old one or the new one. A symlink that has the name is replaced, not
 * followed. `adopt` is called with the new file before anybody can see it under its name.
 */
export async function writeFileAtomically(
  directory: DirectoryHandle,
  file: FileToWrite,
  adopt: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `.new-${randomBytes(8).toString('hex')}`;
  {
    await using handle = await directory.openFile(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    try {
      // Each of them goes on where the last one ended.
      if (typeof file.data === 'string') await handle.writeFile(file.data);
      else for await (const chunk of file.data) await handle.writeFile(chunk);
      await handle.chmod(file.mode & 0o777);
      await adopt(handle);
    } catch (error) {
      await directory.unlink(temporary).catch(() => undefined);
      throw error;
    }
  }
  if (!file.onlyIfAbsent) {
    await directory.rename(temporary, file.name).catch(async (error: unknown) => {
      await directory.unlink(temporary).catch(() => undefined);
      throw error;
    });
    return;
  }
  try {
    await directory.link(temporary, file.name);
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    await directory.unlink(temporary);
  }
}

/** Appends to a regular file, made with mode 0644 if it isn't there. A FIFO or device in its place is an error. */
export async function appendToFile(directory: DirectoryHandle, name: string, text: string): Promise<void> {
  await using handle = await directory.openFile(name, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o644);
  if (!(await handle.stat()).isFile()) {
    throw Object.assign(new Error(`${directory.path}/${name} is not a regular file`), { code: 'ENOTDIR' });
  }
  await handle.writeFile(text);
}
