/** Time. Tests use a manual one, so nothing sleeps. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970. */
  now(): number;
  /** Monotonic time in milliseconds; only differences mean something. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with an AbortError as soon as `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A signal that fires after `ms` or with `parent`, whichever is first. Dispose it to stop its timer. */
  deadline(ms: number, parent?: AbortSignal): Deadline;
}

export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** True once the time, not the parent, fired it. */
  readonly expired: boolean;
}

export const Clock = Symbol('Clock');
