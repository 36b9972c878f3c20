/** The run id under which every batch job runs (krunner.md §3.7). */
export const BATCH_RUN_ID = 'batch-job';

/** The one job of a batch session, as long as its kernel lives: part of the kernel's record. */
export interface BatchJob {
  /** The startup command. */
  readonly code: string;
  /** Milliseconds since 1970; the time limit counts from here, also over a restart of the agent. */
  readonly startedAtMs: number;
  /** `null` = none; 0 is over at once. */
  readonly timeoutMs: number | null;
  /** Its end is known and is told, or was. */
  readonly isOver: boolean;
}

/** What a Manager is told of a job's end (rpc.md §6.10). */
export interface BatchOutcome {
  readonly reason: 'task-finished' | 'task-failed' | 'task-timeout';
  readonly exitCode: number;
}

export const BATCH_TIMED_OUT: BatchOutcome = { reason: 'task-timeout', exitCode: -2 };
/** There is no exit code to tell: the job never ran, or was cut off by something else than its own end. */
export const BATCH_BROKEN: BatchOutcome = { reason: 'task-failed', exitCode: -1 };

/** Of the exit code that the runner gave; `null` if it gave none. */
export function batchOutcome(exitCode: number | null): BatchOutcome {
  return exitCode === 0 ? { reason: 'task-finished', exitCode } : { ...BATCH_BROKEN, exitCode: exitCode ?? -1 };
}

/** Milliseconds that are left to the job; `undefined` = no limit. */
export function remainingMs(job: BatchJob, nowMs: number): number | undefined {
  return job.timeoutMs === null ? undefined : Math.max(0, job.startedAtMs + job.timeoutMs - nowMs);
}
