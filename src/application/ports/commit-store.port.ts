/** Where a committed image goes: two names of one component each. */
export interface CommitFile {
  readonly subfolder: string;
  readonly filename: string;
}

/**
 * Images committed to files, below one folder of the operator's.
 *
 * Failures are StorageErrors (no space, no permission, a symlink in the way); what `tar` throws and a cancellation pass
 * through.
 */
export interface CommitStore {
  /**
   * Writes a tar stream, compressed by gzip, to `<folder>/<subfolder>/<filename>`; replaces a file of that name. After a
   * failure or a crash at any point there is the whole file or none. No deadline but `signal`.
   */
  save(file: CommitFile, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** Removes what this agent left half-written; never while it saves. */
  sweep(): Promise<void>;
}

export const CommitStore = Symbol('CommitStore');
