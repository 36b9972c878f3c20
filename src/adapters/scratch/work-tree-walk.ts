import type { Stats } from 'node:fs';
import { posix } from 'node:path';
import type { WorkTree } from '../../application/ports/kernel-files.port.js';
import type { Ownership } from '../../application/ports/scratch-store.port.js';
import { invalidArgument } from '../../domain/error/errors.js';
import { isBelow, normalisePath } from '../../domain/vfolder/paths.js';
import { DirectoryHandle } from './directory-handle.js';
import { errorCode } from './storage-error.js';
import { changing, noFilesYet, notFound, outside, printable, readOnlyMount, wrongKind } from './work-tree-errors.js';

const WORK = '/home/work';
const MAX_PATH_BYTES = 4_096;
const MAX_NAME_BYTES = 255;
/** As Linux has it: more is taken for a loop. */
const MAX_LINKS = 40;
/** Each level of the walk keeps a descriptor. */
const MAX_DEPTH = 128;
/** Somebody who keeps swapping a directory for something else must stop at some time. */
const MAX_SWAPS = 16;
const DIRECTORY_MODE = 0o755;

/** An entry of an open directory. */
export interface Spot {
  readonly directory: DirectoryHandle;
  readonly name: string;
  readonly readOnly: boolean;
  /** Something is mounted there. */
  readonly isMount: boolean;
}

/** Where a path led: to a directory, which is open now, or to an entry that is something else or is not there. */
export type Found =
  | { readonly kind: 'directory'; readonly directory: DirectoryHandle }
  | { readonly kind: 'entry'; readonly spot: Spot; readonly stats: Stats | undefined };

interface Level {
  readonly directory: DirectoryHandle;
  /** As the kernel calls it. */
  readonly path: string;
  readonly readOnly: boolean;
}

/**
 * A walk through what a kernel sees at /home/work and below. Every step is one entry of a directory that is open, `..`
 * goes back to the directory that it came from, and the text of a symlink is walked like the path itself: so whatever
 * is swapped meanwhile, a walk never leaves the work directory and its mounts.
 */
export class WorkTreeWalk implements AsyncDisposable {
  readonly #levels: Level[] = [];
  readonly #mounts: ReadonlyMap<string, WorkTree['mounts'][number]>;
  /** Directories around mount points, which the kernel does not see. */
  readonly #surroundings: DirectoryHandle[] = [];

  private constructor(mounts: WorkTree['mounts']) {
    this.#mounts = new Map(mounts.flatMap((m) => (isBelow(m.kernelPath, WORK) ? [[m.kernelPath, m] as const] : [])));
  }

  static async open(tree: WorkTree): Promise<WorkTreeWalk> {
    const walk = new WorkTreeWalk(tree.mounts);
    const directory = await DirectoryHandle.open(tree.root).catch((error: unknown) => {
      throw errorCode(error) === 'ENOENT' ? noFilesYet(error) : error;
    });
    walk.#levels.push({ directory, path: WORK, readOnly: false });
    return walk;
  }

  /** Of the kernel's user, who was given the work directory when it was made. */
  async owner(): Promise<Ownership> {
    const { uid, gid } = await this.#level(0).directory.stat();
    return { uid, gid };
  }

  /** The directory where the walk is; a new walk is at /home/work. */
  get here(): DirectoryHandle {
    return this.#top.directory;
  }

  /** Its name in the kernel. */
  get name(): string {
    return posix.basename(this.#top.path);
  }

  /**
   * Walks to `path`. With `adoptMade` missing directories on the way are made, and each is handed to it. Throws
   * PermissionError, FileNotFoundError for a missing directory on the way, InvalidArgumentError.
   */
  async find(path: string, adoptMade?: (directory: DirectoryHandle) => Promise<void>): Promise<Found> {
    let rest = this.#namesOf(path, path);
    let links = 0;
    let swaps = 0;
    for (;;) {
      const name = rest.shift();
      if (name === undefined) return { kind: 'directory', directory: this.here };
      if (name === '..') {
        await this.#back(path);
        continue;
      }
      const spot = await this.spot(name);
      const stats = await lstat(spot);
      try {
        if (stats?.isSymbolicLink()) {
          if (++links > MAX_LINKS) throw outside(path, 'has too many symbolic links');
          rest = [...(await this.#follow(spot, path)), ...rest];
        } else if (stats?.isDirectory()) {
          await this.enter(spot, name);
        } else if (rest.length === 0) {
          return { kind: 'entry', spot, stats };
        } else if (stats || !adoptMade) {
          throw stats ? wrongKind(path, `${name} is not a directory`) : notFound(path);
        } else {
          await this.#make(spot, path, adoptMade);
          rest.unshift(name);
        }
      } catch (error) {
        if (!isSwap(error)) throw error;
        if (++swaps > MAX_SWAPS) throw changing(path, error);
        rest.unshift(name);
      }
    }
  }

  /** Where the entry `name` of the present directory is on this host. */
  async spot(name: string): Promise<Spot> {
    const { directory, path, readOnly } = this.#top;
    const mount = this.#mounts.get(`${path}/${name}`);
    if (!mount) return { directory, name, readOnly, isMount: false };
    const surrounding = await this.#openHost(posix.dirname(mount.hostPath));
    return { directory: surrounding, name: posix.basename(mount.hostPath), readOnly: mount.readOnly, isMount: true };
  }

  /** Goes down into the directory that the kernel calls `name`. */
  async enter(spot: Spot, name: string): Promise<DirectoryHandle> {
    if (this.#levels.length >= MAX_DEPTH) {
      throw invalidArgument(`${this.#top.path} is nested deeper than ${MAX_DEPTH} directories`, { field: 'path' });
    }
    const directory = await spot.directory.child(spot.name);
    this.#levels.push({ directory, path: `${this.#top.path}/${name}`, readOnly: spot.readOnly });
    return directory;
  }

  /** Goes back up, not above /home/work. */
  async leave(): Promise<void> {
    if (this.#levels.length > 1) await this.#levels.pop()?.directory[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#levels.splice(0).map(({ directory }) => directory), ...this.#surroundings.splice(0)];
    await Promise.all(open.map((directory) => directory[Symbol.asyncDispose]()));
  }

  get #top(): Level {
    return this.#level(this.#levels.length - 1);
  }

  #level(index: number): Level {
    const level = this.#levels[index];
    if (!level) throw new Error('the walk is over');
    return level;
  }

  async #back(path: string): Promise<void> {
    if (this.#levels.length === 1) throw outside(path, 'leads out of /home/work');
    await this.leave();
  }

  /** The names that a symlink stands for; an absolute one begins at /home/work again. */
  async #follow(spot: Spot, path: string): Promise<string[]> {
    const target = await spot.directory.readlink(spot.name);
    const names = this.#namesOf(target, path);
    if (target.startsWith('/')) while (this.#levels.length > 1) await this.leave();
    return names;
  }

  #namesOf(text: string, asked: string): string[] {
    if (text.includes('\0') || Buffer.byteLength(text) > MAX_PATH_BYTES) {
      throw invalidArgument('the path is too long, or has a NUL character', {
        field: 'path',
        allowed: `at most ${MAX_PATH_BYTES} bytes`,
      });
    }
    const path = normalisePath(text);
    if (path.startsWith('/') && path !== WORK && !isBelow(path, WORK))
      throw outside(asked, `leads to ${printable(path)}`);
    const names = (path.startsWith('/') ? path.slice(WORK.length) : path).split('/').filter((name) => name !== '');
    if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)) {
      throw invalidArgument(`a name in the path is longer than ${MAX_NAME_BYTES} bytes`, { field: 'path' });
    }
    return names;
  }

  async #make(spot: Spot, path: string, adopt: (directory: DirectoryHandle) => Promise<void>): Promise<void> {
    if (spot.readOnly) throw readOnlyMount(path);
    try {
      await spot.directory.mkdir(spot.name, DIRECTORY_MODE);
    } catch (error) {
      // Somebody else made it, or something else: the next look tells.
      if (errorCode(error) === 'EEXIST') return;
      throw error;
    }
    await using made = await spot.directory.child(spot.name);
    await made.chmod(DIRECTORY_MODE);
    await adopt(made);
  }

  /** A directory of the host by its real path: as when the mount was allowed, there is no symlink in it. */
  async #openHost(path: string): Promise<DirectoryHandle> {
    let directory = await DirectoryHandle.open('/');
    for (const name of path.split('/').filter((part) => part !== '')) {
      const outer = directory;
      try {
        directory = await outer.child(name);
      } finally {
        await outer[Symbol.asyncDispose]();
      }
    }
    this.#surroundings.push(directory);
    return directory;
  }
}

/** What is there now; `undefined` = nothing. */
export async function lstat(spot: Spot): Promise<Stats | undefined> {
  try {
    return await spot.directory.lstat(spot.name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What was looked at is something else by now: not a directory, not a symlink, a symlink, gone. */
export function isSwap(error: unknown): boolean {
  return ['ENOTDIR', 'ELOOP', 'EINVAL', 'ENOENT', 'ENXIO'].includes(errorCode(error));
}
