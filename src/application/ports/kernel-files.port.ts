import type { Call } from './call.js';

/** What a kernel sees at /home/work and below, as this host has it. */
export interface WorkTree {
  /** Host path of the work directory. Who owns it owns what is written. */
  readonly root: string;
  /** Mounts below /home/work; others don't matter. */
  readonly mounts: readonly {
    readonly kernelPath: string;
    readonly hostPath: string;
    readonly readOnly: boolean;
  }[];
}

export interface FoundFile {
  readonly name: string;
  /** Type and permissions as the system encodes them (`st_mode`). */
  readonly mode: number;
  readonly sizeBytes: number;
  readonly changedAtMs: number;
  readonly modifiedAtMs: number;
  readonly accessedAtMs: number;
}

export interface DirectoryContent {
  /** By name. */
  readonly files: readonly FoundFile[];
  /** What is missing there and why, as sentences. */
  readonly problems: readonly string[];
}

/**
 * Files of a kernel, reached on the host's side of its mounts: in every image, and while its programs change them.
 *
 * Paths are the kernel's: relative to /home/work, or absolute at or below it. `..` and symlinks are resolved step by step
 * as the kernel would see them; a step that leads out of the tree is a `PermissionError`, whoever swaps what meanwhile.
 * Nothing there is a `FileNotFoundError`; something of the wrong kind an `InvalidArgumentError`; all else a
 * `StorageError`, or `TimeoutError` when the file system does not answer within a minute.
 */
export interface KernelFiles {
  /**
   * Puts a whole file in place of what is there, if anything: who looks sees the old one or the new one. Missing
   * directories are made. A file that is replaced leaves its permissions. Read-only mounts refuse.
   */
  write(tree: WorkTree, path: string, data: AsyncIterable<Uint8Array>, call: Call): Promise<void>;
  /**
   * A file or directory as an uncompressed tar, as it is read: regular files, directories and symlinks, beginning with
   * the last name of `path`. Read no further than asked for; one that changes its size meanwhile is a `StorageError`.
   */
  archive(tree: WorkTree, path: string, call: Call): AsyncIterable<Uint8Array>;
  /** The content of one regular file. */
  read(tree: WorkTree, path: string, call: Call): AsyncIterable<Uint8Array>;
  /** The first `limit` entries of a directory, in the order of the file system if there are more. */
  list(tree: WorkTree, path: string, limit: number, call: Call): Promise<DirectoryContent>;
}

export const KernelFiles = Symbol('KernelFiles');
