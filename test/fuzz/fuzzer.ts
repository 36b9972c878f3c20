export interface FuzzContext {
  readonly seed: number;
  /** Inputs to try. */
  readonly count: number;
  readonly signal: AbortSignal;
  /** A line of progress. */
  readonly say: (text: string) => void;
}

/** Something of ours that eats what others send. */
export interface Fuzzer {
  /** For `--only`. */
  readonly name: string;
  readonly what: string;
  /** Of a full run. */
  readonly fullCount: number;
  /** Figures for people. Rejects with what went wrong: a crash, a hang, an answer nobody could read, a leak. */
  run(context: FuzzContext): Promise<Readonly<Record<string, number | string>>>;
}
