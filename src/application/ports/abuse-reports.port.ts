/** What an abuse watcher of this node reported (lifecycle.md §5.7). */
export interface AbuseReports {
  /** Ids of the kernels that are reported now. What is no report is left out; rejects with a StorageError. */
  list(): Promise<readonly string[]>;
}

export const AbuseReports = Symbol('AbuseReports');
