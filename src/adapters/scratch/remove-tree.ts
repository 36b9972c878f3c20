import { randomBytes } from 'node:crypto';
import { storageFailure } from '../../domain/error/errors.js';
import type { DirectoryHandle } from './directory-handle.js';
import { errorCode } from './storage-error.js';

/** Beyond this depth subtrees are moved up, so that neither descriptors nor the stack run out. */
const MAX_DEPTH = 32;
/** Somebody who keeps making files while we delete them must stop at some time. */
const MAX_PASSES = 10;

/**
 * Removes the directory `name` of `parent` and all below it, entry by entry through descriptors: symlinks are removed
 * and never followed, directories that the container closed to everybody are opened if they are ours, and a mounted
 * file system stops it before anything on that is touched. What goes away by itself meanwhile is a success.
 *
 * Rejects with `StorageError` for a mount or a directory that keeps being filled, with the system's error otherwise,
 * and with the signal's reason.
 */
export async function removeTree(parent: DirectoryHandle, name: string, signal: AbortSignal): Promise<void> {
  await openUp(parent, name);
  await using top = await parent.child(name);
  const mountId = await parent.mountId();
  await refuseMount(top, mountId);
  await new TreeRemover(top, mountId, signal).empty(top, 0);
  await ignoreMissing(parent.rmdir(name));
}

class TreeRemover {
  private movedUp = 0;

  constructor(
    private readonly top: DirectoryHandle,
    private readonly mountId: string,
    private readonly signal: AbortSignal,
  ) {}

  async empty(directory: DirectoryHandle, depth: number): Promise<void> {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      let found = false;
      const movedUpBefore = this.movedUp;
      for await (const entry of directory.entries()) {
        this.signal.throwIfAborted();
        found = true;
        if (entry.isDirectory()) await ignoreMissing(this.removeDirectory(directory, entry.name, depth));
        else await this.removeFile(directory, entry.name, depth);
      }
      if (!found) return;
      // Subtrees that we moved into the top directory ourselves are no reason to give up on it.
      if (this.movedUp > movedUpBefore) pass = 0;
    }
    throw storageFailure(`${directory.path} is being filled while it is removed.`, {
      retryable: true,
      hint: 'Stop the process that writes there, then destroy the kernel again.',
    });
  }

  private async removeFile(directory: DirectoryHandle, name: string, depth: number): Promise<void> {
    try {
      await ignoreMissing(directory.unlink(name));
    } catch (error) {
      // Swapped for a directory since it was listed (or its type is unknown to this file system).
      if (errorCode(error) !== 'EISDIR') throw error;
      await ignoreMissing(this.removeDirectory(directory, name, depth));
    }
  }

  private async removeDirectory(directory: DirectoryHandle, name: string, depth: number): Promise<void> {
    if (await removedEmpty(directory, name)) return;
    if (depth >= MAX_DEPTH) {
      await openUp(directory, name);
      await refuseMountedChild(directory, name, this.mountId);
      await directory.rename(name, `.removing-${randomBytes(8).toString('hex')}`, this.top);
      this.movedUp += 1;
      return;
    }
    await openUp(directory, name);
    {
      await using child = await directory.child(name);
      await refuseMount(child, this.mountId);
      await this.empty(child, depth + 1);
    }
    await directory.rmdir(name);
  }
}

/** The cheap way for the many directories that are empty. */
async function removedEmpty(directory: DirectoryHandle, name: string): Promise<boolean> {
  try {
    await directory.rmdir(name);
    return true;
  } catch {
    // Not empty, not accessible, mounted, gone: opening it tells which.
    return false;
  }
}

async function refuseMountedChild(directory: DirectoryHandle, name: string, mountId: string): Promise<void> {
  await using child = await directory.child(name);
  await refuseMount(child, mountId);
}

async function refuseMount(directory: DirectoryHandle, mountId: string): Promise<void> {
  if ((await directory.mountId()) === mountId) return;
  throw storageFailure(`Something is mounted on ${directory.path}; nothing on it was removed.`, {
    hint: `Unmount it (umount ${directory.path}), then destroy the kernel again.`,
  });
}

/** Gives us access to a directory of our own that was made inaccessible. Root needs none. */
async function openUp(parent: DirectoryHandle, name: string): Promise<void> {
  const uid = process.geteuid?.();
  if (uid === 0) return;
  const entry = await parent.lstat(name);
  if (entry.isDirectory() && entry.uid === uid && (entry.mode & 0o700) !== 0o700) await parent.chmodChild(name, 0o700);
}

async function ignoreMissing(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
