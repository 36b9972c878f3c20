/** Every awaited call to the outside carries both: who cancels it, and how long it may take at most. */
export interface Call {
  readonly signal: AbortSignal;
  /** Deadline in milliseconds from now; an adapter has a default for each of its operations. */
  readonly timeoutMs?: number;
}
