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
  /** How it ended, and when that was known (milliseconds since 1970). */
  readonly end?: { readonly outcome: BatchOutcome; readonly atMs: number };
  /** Its end was told. */
  readonly isOver: boolean;
}

/**
 * A 26.9 Manager asks for the job while it is still about to mark the session RUNNING: an end that comes too soon after the
 * request is overwritten by that, and the session hangs. A longer pause would let clients see a batch session RUNNING that
 * is over; what comes too soon all the same is told again.
 */
const SETTLING_MS = 300;
/** An end that nobody acts upon is told again so long after it was known; Managers take it as often as it comes. */
const REPEAT_AFTER_MS = [3_000, 15_000, 60_000, 300_000];

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

/** Milliseconds until the end may be told. */
export function settlingMs(job: BatchJob, nowMs: number): number {
  return Math.max(0, Math.min(SETTLING_MS, job.startedAtMs + SETTLING_MS - nowMs));
}

/** How often the end should have been told again by now; 0 as long as it was not told at all. */
export function dueRepetitions({ end, isOver }: BatchJob, nowMs: number): number {
  return end && isOver ? REPEAT_AFTER_MS.filter((ms) => nowMs - end.atMs >= ms).length : 0;
}
