/** What an abuse watcher of this node found (lifecycle.md §5.7). */
export interface AbuseReport {
  /** Names the report to `remove`. */
  readonly name: string;
  readonly kernelId: string;
  /** As the watcher put it. */
  readonly reason: string;
}

export interface AbuseReports {
  /** The reports that are there now. What is no report is left out; rejects with a StorageError. */
  list(): Promise<readonly AbuseReport[]>;
  /** Gone already is a success; rejects with a StorageError. */
  remove(report: AbuseReport): Promise<void>;
}

export const AbuseReports = Symbol('AbuseReports');
