import { constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { storageFailure } from '../../domain/error/errors.js';
import { TAR_END, type TarEntry, tarHeader, tarPadding } from './tar-header.js';
import { changing, notFound, wrongKind } from './work-tree-errors.js';
import { isSwap, lstat, type Spot, type WorkTreeWalk } from './work-tree-walk.js';

const { O_NONBLOCK, O_RDONLY } = constants;
const CHUNK_BYTES = 256 * 1024;
/** How a name looks that is not text in UTF-8. */
const UNREADABLE = '\uFFFD';

/** The content of the regular file that `path` leads to, read through one descriptor. */
export async function* readWorkFile(walk: WorkTreeWalk, path: string): AsyncGenerator<Uint8Array> {
  const found = await walk.find(path);
  if (found.kind === 'directory') throw wrongKind(path, 'it is a directory, not a file');
  if (!found.stats) throw notFound(path);
  if (!found.stats.isFile()) throw wrongKind(path, 'it is not a regular file');
  await using file = await openRegular(found.spot, path);
  for (let chunk = await nextChunk(file, CHUNK_BYTES); chunk.length > 0; chunk = await nextChunk(file, CHUNK_BYTES)) {
    yield chunk;
  }
}

/** What `path` leads to as a tar stream; the names in it begin with the last one of `path`. */
export async function* archiveWork(walk: WorkTreeWalk, path: string): AsyncGenerator<Uint8Array> {
  const found = await walk.find(path);
  const last = posix.basename(path);
  const name = ['', '.', '..'].includes(last) ? walk.name : last;
  const archiver = new TreeArchiver(walk, path);
  try {
    if (found.kind === 'directory') yield* archiver.directory(name);
    else if (found.stats) yield* archiver.entry(found.spot, found.spot.name, name, found.stats);
    else throw notFound(path);
  } catch (error) {
    throw isSwap(error) ? changing(path, error) : error;
  }
  yield TAR_END;
}

class TreeArchiver {
  constructor(
    private readonly walk: WorkTreeWalk,
    private readonly path: string,
  ) {}

  /** The directory where the walk is and all below it, under a name in the archive. */
  async *directory(name: string): AsyncGenerator<Uint8Array> {
    const directory = this.walk.here;
    yield tarHeader({ ...factsOf(await directory.stat()), type: 'directory', name: `${name}/`, size: 0 });
    for await (const { name: own } of directory.entries()) {
      if (own.includes(UNREADABLE)) throw unreadableName(name);
      const spot = await this.walk.spot(own);
      const stats = await lstat(spot);
      try {
        if (stats) yield* this.entry(spot, own, `${name}/${own}`, stats);
      } catch (error) {
        // Gone since it was seen, or something else now.
        if (!isSwap(error)) throw error;
      }
    }
  }

  /** One entry; pipes, sockets and devices have no content that could be kept. */
  async *entry(spot: Spot, own: string, name: string, stats: Stats): AsyncGenerator<Uint8Array> {
    if (stats.isDirectory()) {
      await this.walk.enter(spot, own);
      try {
        yield* this.directory(name);
      } finally {
        await this.walk.leave();
      }
    } else if (stats.isSymbolicLink()) {
      const linkname = await spot.directory.readlink(spot.name);
      yield tarHeader({ ...factsOf(stats), type: 'symlink', name, linkname, size: 0 });
    } else if (stats.isFile()) {
      yield* this.#file(spot, name);
    }
  }

  /** Exactly as many bytes as the header says: what a file got since then belongs to its next archive. */
  async *#file(spot: Spot, name: string): AsyncGenerator<Uint8Array> {
    await using file = await openRegular(spot, this.path);
    const stats = await file.stat();
    yield tarHeader({ ...factsOf(stats), type: 'file', name, size: stats.size });
    for (let left = stats.size; left > 0;) {
      const chunk = await nextChunk(file, Math.min(left, CHUNK_BYTES));
      if (chunk.length === 0) throw changing(this.path);
      left -= chunk.length;
      yield chunk;
    }
    yield tarPadding(stats.size);
  }
}

async function openRegular(spot: Spot, path: string): Promise<FileHandle> {
  // A pipe in its place must not make us wait for who writes to it.
  const file = await spot.directory.openFile(spot.name, O_RDONLY | O_NONBLOCK).catch((error: unknown) => {
    throw isSwap(error) ? changing(path, error) : error;
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw wrongKind(path, 'it is not a regular file');
}

async function nextChunk(file: FileHandle, bytes: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes);
  return buffer.subarray(0, bytesRead);
}

function factsOf({ mode, uid, gid, mtimeMs }: Stats): Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtimeMs'> {
  return { mode, uid, gid, mtimeMs };
}

function unreadableName(directory: string): Error {
  return storageFailure(`an entry of ${directory} has a name that is not text in UTF-8`, {
    hint: 'rename it, or ask for other files one by one',
  });
}
