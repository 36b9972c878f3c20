import { join } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import type { Call } from '../../application/ports/call.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Ownership, ScratchPaths, ScratchStore } from '../../application/ports/scratch-store.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { parseKernelId, type KernelId } from '../../domain/kernel/kernel-id.js';
import type { ScratchFile } from '../../domain/scratch/scratch-layout.js';
import { Claims } from './claims.js';
import { DirectoryHandle } from './directory-handle.js';
import { guarded } from './guarded.js';
import { removeTree } from './remove-tree.js';
import { errorCode, toStorageError } from './storage-error.js';
import { trustedDirectory } from './trusted-directory.js';
import { appendToFile, pathNames, writeFileAtomically } from './write-file.js';

const CANONICAL_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DIRECTORY_MODE = 0o755;
const WRITE_TIMEOUT_MS = 10_000;
const REMOVE_TIMEOUT_MS = 120_000;
/** Refused to an agent that is not root when a container's root made the files. */
const NOT_OURS = new Set(['EACCES', 'EPERM']);

export interface HostScratchOptions {
  /** The directory below which each kernel gets its own; made if it is not there. */
  readonly root: string;
  /**
   * Who we are among the agents that share this root (agent id): `list` then tells only what we made. Without it every
   * scratch counts as ours.
   */
  readonly owner?: string;
  /**
   * Removes a directory and all below it as root, for an agent that is not root itself; must not follow symlinks.
   * Without it such files stay and `remove` fails.
   */
  readonly removeAsRoot?: (path: string, call: Call) => Promise<void>;
  readonly logger?: Logger;
}

/** Scratch type `hostdir` (lifecycle.md §3.2): plain directories of the host. */
export class HostScratchStore implements ScratchStore {
  #base: Promise<string> | undefined;
  readonly #claims: Claims | undefined;

  constructor(private readonly options: HostScratchOptions) {
    this.#claims = options.owner === undefined ? undefined : new Claims(options.owner);
  }

  paths(kernelId: KernelId): ScratchPaths {
    const root = join(this.options.root, parseKernelId(kernelId));
    return { root, config: join(root, 'config'), work: join(root, 'work') };
  }

  async create(kernelId: KernelId, ownership: Ownership | undefined, call: Call): Promise<ScratchPaths> {
    const paths = this.paths(kernelId);
    await guarded(`The scratch directory ${paths.root} could not be made`, call, WRITE_TIMEOUT_MS, async () => {
      await using base = await this.openBase();
      await this.#claims?.make(base, parseKernelId(kernelId));
      await using root = await this.directory(base, parseKernelId(kernelId), undefined);
      await using config = await this.directory(root, 'config', undefined);
      await using work = await this.directory(root, 'work', ownership);
      // One that was there already keeps its content; its owner may have changed with the configuration.
      await config.chmod(DIRECTORY_MODE);
      await this.adopt(work, ownership);
    });
    return paths;
  }

  async write(
    kernelId: KernelId,
    files: readonly ScratchFile[],
    ownership: Ownership | undefined,
    call: Call,
  ): Promise<void> {
    const located = files.map((file) => ({ file, names: pathNames(file.path) }));
    const { root: path } = this.paths(kernelId);
    await guarded(`Files in ${path} could not be written`, call, WRITE_TIMEOUT_MS, async (signal) => {
      await using root = await this.openRoot(kernelId);
      for (const { file, names } of located) {
        signal.throwIfAborted();
        const owner = file.owned ? ownership : undefined;
        await this.inDirectory(root, names[0], owner, (directory) =>
          writeFileAtomically(
            directory,
            { name: names[1], data: file.data, mode: file.mode, onlyIfAbsent: file.onlyIfAbsent ?? false },
            (handle) => this.adopt(handle, owner),
          ),
        );
      }
    });
  }

  async append(kernelId: KernelId, path: string, text: string): Promise<void> {
    const [directories, name] = pathNames(path);
    try {
      await using root = await this.openRoot(kernelId);
      await this.inDirectory(root, directories, undefined, (directory) => appendToFile(directory, name, text));
    } catch (error) {
      throw toStorageError(`The file ${path} in ${this.paths(kernelId).root} could not be appended to`, error);
    }
  }

  async remove(kernelId: KernelId, call: Call): Promise<void> {
    const { root } = this.paths(kernelId);
    await guarded(`The scratch directory ${root} could not be removed`, call, REMOVE_TIMEOUT_MS, async (signal) => {
      await using base = await this.openBase();
      const name = parseKernelId(kernelId);
      await this.removeDirectory(base, name, { ...call, signal });
      await this.#claims?.takeBack(base, name);
    });
  }

  async list(): Promise<readonly KernelId[]> {
    try {
      await using base = await this.openBase();
      const names = this.#claims ? await this.#claims.list(base) : await directoryNames(base);
      return names
        .filter((name) => CANONICAL_ID.test(name))
        .map((name) => parseKernelId(name))
        .sort();
    } catch (error) {
      throw toStorageError(`The scratch directory ${this.options.root} could not be read`, error);
    }
  }

  private async removeDirectory(base: DirectoryHandle, name: string, call: Call): Promise<void> {
    try {
      await removeTree(base, name, call.signal);
    } catch (error) {
      if (errorCode(error) === 'ENOENT' && !(await exists(base, name))) return;
      if (process.geteuid?.() === 0 || !NOT_OURS.has(errorCode(error))) throw error;
      await this.removeAsRoot(base, name, call, error);
    }
  }

  private async removeAsRoot(base: DirectoryHandle, name: string, call: Call, cause: unknown): Promise<void> {
    const path = `${base.path}/${name}`;
    const hint = `Remove it as root: rm -rf --one-file-system ${path}`;
    if (!this.options.removeAsRoot) {
      throw storageFailure(`${path} holds files of another user, and the agent is not root.`, { cause, hint });
    }
    await this.options.removeAsRoot(path, call);
    if (await exists(base, name))
      throw storageFailure(`${path} holds files of another user and could not be removed.`, { cause, hint });
  }

  /** Descends from `root`, making what is missing, for the time of `use`. */
  private async inDirectory(
    root: DirectoryHandle,
    names: readonly string[],
    owner: Ownership | undefined,
    use: (directory: DirectoryHandle) => Promise<void>,
  ): Promise<void> {
    const [name, ...rest] = names;
    if (name === undefined) {
      await use(root);
      return;
    }
    await using next = await this.directory(root, name, owner);
    await this.inDirectory(next, rest, owner, use);
  }

  /** The subdirectory `name`; made with its mode whatever the umask is, and given to `owner`, if it is not there. */
  private async directory(
    parent: DirectoryHandle,
    name: string,
    owner: Ownership | undefined,
  ): Promise<DirectoryHandle> {
    const made = await parent.mkdir(name, DIRECTORY_MODE).then(
      () => true,
      (error: unknown) => {
        if (errorCode(error) === 'EEXIST') return false;
        throw error;
      },
    );
    const directory = await parent.child(name);
    if (made) {
      await directory.chmod(DIRECTORY_MODE);
      await this.adopt(directory, owner);
    }
    return directory;
  }

  /** Only root can give files away; where even root may not (NFS) the kernel still starts (lifecycle.md §3.3). */
  private async adopt(target: DirectoryHandle | FileHandle, owner: Ownership | undefined): Promise<void> {
    if (!owner || process.geteuid?.() !== 0) return;
    try {
      await target.chown(owner.uid, owner.gid);
    } catch (error) {
      this.options.logger?.warn('The owner of a scratch file could not be set', { error: messageOf(error) });
    }
  }

  private async openRoot(kernelId: KernelId): Promise<DirectoryHandle> {
    await using base = await this.openBase();
    return await base.child(parseKernelId(kernelId));
  }

  private async openBase(): Promise<DirectoryHandle> {
    // Checked once; a failed check is made again, since the operator may have repaired it.
    this.#base ??= trustedDirectory(this.options.root).catch((error: unknown) => {
      this.#base = undefined;
      throw error;
    });
    const path = await this.#base;
    try {
      return await DirectoryHandle.open(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      // Cleaned away while we ran, as /tmp sometimes is.
      return await DirectoryHandle.open(await trustedDirectory(this.options.root));
    }
  }
}

async function directoryNames(directory: DirectoryHandle): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const entry of directory.entries()) if (entry.isDirectory()) names.push(entry.name);
  return names;
}

async function exists(directory: DirectoryHandle, name: string): Promise<boolean> {
  try {
    await directory.lstat(name);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
