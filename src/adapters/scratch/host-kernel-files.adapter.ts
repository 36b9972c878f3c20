import type { FileHandle } from 'node:fs/promises';
import type { Call } from '../../application/ports/call.js';
import type { DirectoryContent, FoundFile, KernelFiles, WorkTree } from '../../application/ports/kernel-files.port.js';
import type { Ownership } from '../../application/ports/scratch-store.port.js';
import { permissionDenied } from '../../domain/error/errors.js';
import type { DirectoryHandle } from './directory-handle.js';
import { guarded } from './guarded.js';
import { errorCode } from './storage-error.js';
import { archiveWork, readWorkFile } from './tree-archive.js';
import { notFound, readOnlyMount, wrongKind } from './work-tree-errors.js';
import { lstat, WorkTreeWalk } from './work-tree-walk.js';
import { writeFileAtomically } from './write-file.js';

/** For one step: a part of a stream, or a whole listing. */
const TIMEOUT_MS = 60_000;
const FILE_MODE = 0o644;
const LOOK_AT_ONCE = 64;

/** The port on this host's file systems: openat(2)-like walks, no program in the container and no engine. */
export class HostKernelFiles implements KernelFiles {
  write(tree: WorkTree, path: string, data: AsyncIterable<Uint8Array>, call: Call): Promise<void> {
    return guarded('The file could not be written', call, TIMEOUT_MS, async () => {
      await using walk = await WorkTreeWalk.open(tree);
      const owner = await walk.owner();
      const found = await walk.find(path, (directory) => give(directory, owner));
      if (found.kind === 'directory') throw wrongKind(path, 'it is a directory, so no file can be written there');
      const { spot, stats } = found;
      if (spot.readOnly) throw readOnlyMount(path);
      // Its directory on the host is nobody's business here.
      if (spot.isMount) {
        throw permissionDenied(`${path} is a file that is mounted by itself and can't be replaced`, { field: 'path' });
      }
      if (stats && !stats.isFile()) throw wrongKind(path, 'it is a pipe, socket or device, and is not replaced');
      const file = { name: spot.name, data, mode: stats?.mode ?? FILE_MODE, onlyIfAbsent: false };
      await writeFileAtomically(spot.directory, file, (handle) => give(handle, owner));
    });
  }

  archive(tree: WorkTree, path: string, call: Call): AsyncIterable<Uint8Array> {
    return streamed('The files could not be read', tree, call, (walk) => archiveWork(walk, path));
  }

  read(tree: WorkTree, path: string, call: Call): AsyncIterable<Uint8Array> {
    return streamed('The file could not be read', tree, call, (walk) => readWorkFile(walk, path));
  }

  list(tree: WorkTree, path: string, limit: number, call: Call): Promise<DirectoryContent> {
    return guarded('The directory could not be read', call, TIMEOUT_MS, async (signal) => {
      await using walk = await WorkTreeWalk.open(tree);
      const found = await walk.find(path);
      if (found.kind === 'entry') throw found.stats ? wrongKind(path, 'it is not a directory') : notFound(path);
      const { names, isComplete } = await firstNames(found.directory, limit);
      const problems = isComplete ? [] : [`there are more than ${limit} entries; the others are not shown`];
      const files: FoundFile[] = [];
      for (let start = 0; start < names.length; start += LOOK_AT_ONCE) {
        signal.throwIfAborted();
        const some = await Promise.all(names.slice(start, start + LOOK_AT_ONCE).map((name) => look(walk, name)));
        for (const entry of some) {
          if (typeof entry === 'string') problems.push(entry);
          else if (entry) files.push(entry);
        }
      }
      return { files, problems };
    });
  }
}

async function firstNames(directory: DirectoryHandle, limit: number) {
  const names: string[] = [];
  let isComplete = true;
  for await (const { name } of directory.entries()) {
    if (names.length >= limit) {
      isComplete = false;
      break;
    }
    names.push(name);
  }
  return { names: names.sort(), isComplete };
}

/** A found entry, nothing if it went away meanwhile, or why it can't be told. */
async function look(walk: WorkTreeWalk, name: string): Promise<FoundFile | string | undefined> {
  if (name.includes('\uFFFD')) return 'an entry has a name that is not text in UTF-8';
  const stats = await lstat(await walk.spot(name));
  if (!stats) return undefined;
  return {
    name,
    mode: stats.mode,
    sizeBytes: stats.size,
    changedAtMs: stats.ctimeMs,
    modifiedAtMs: stats.mtimeMs,
    accessedAtMs: stats.atimeMs,
  };
}

/** Each part of the stream has the deadline, so that much may take long and nothing hangs. */
async function* streamed(
  action: string,
  tree: WorkTree,
  call: Call,
  open: (walk: WorkTreeWalk) => AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const walk = await guarded(action, call, TIMEOUT_MS, () => WorkTreeWalk.open(tree));
  const parts = open(walk);
  try {
    for (;;) {
      const part = await guarded(action, call, TIMEOUT_MS, () => parts.next());
      if (part.done) return;
      yield part.value;
    }
  } finally {
    // Who hangs keeps what it has open until it ends.
    void parts.return(undefined).then(
      () => walk[Symbol.asyncDispose](),
      () => walk[Symbol.asyncDispose](),
    );
  }
}

/** Only root can give files away; where even root may not (NFS) they stay the agent's (lifecycle.md §3.3). */
async function give(target: DirectoryHandle | FileHandle, owner: Ownership): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  try {
    await target.chown(owner.uid, owner.gid);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') throw error;
  }
}
