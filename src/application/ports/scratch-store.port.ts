import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { ScratchFile } from '../../domain/scratch/scratch-layout.js';
import type { Call } from './call.js';

export interface ScratchPaths {
  readonly root: string;
  readonly config: string;
  readonly work: string;
}

/** Who owns what a kernel may write; without it files keep the agent's identity. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Per-kernel host directories (lifecycle.md §3). Symlinks inside are never followed: neither when writing nor when
 * removing, whatever a container put there. Failures are `StorageError`s.
 */
export interface ScratchStore {
  /** Where a kernel's scratch is, made or not. */
  paths(kernelId: KernelId): ScratchPaths;
  /** Makes the layout; finding it already made (restart) is a success. */
  create(kernelId: KernelId, ownership: Ownership | undefined, call: Call): Promise<ScratchPaths>;
  /** Writes or replaces files at paths relative to the scratch root. */
  write(kernelId: KernelId, files: readonly ScratchFile[], ownership: Ownership | undefined, call: Call): Promise<void>;
  /** Appends one line to a file (`CID=` of resource.txt). */
  append(kernelId: KernelId, path: string, text: string): Promise<void>;
  /** Removes everything, also what a container wrote as root or with mode 000. Not there is a success. */
  remove(kernelId: KernelId, call: Call): Promise<void>;
  /** Kernel ids that have a directory here. */
  list(): Promise<readonly KernelId[]>;
}

export const ScratchStore = Symbol('ScratchStore');
