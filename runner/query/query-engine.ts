import type { ExitStatus } from '../process/exit-status.js';
import type { Frame } from '../wire/frames.js';

/** What a run of code may do besides returning its exit code. */
export interface RunSink {
  frame(frame: Frame): void;
  /** Asks the user for a line (krunner.md §2.8). */
  ask(isPassword: boolean): Promise<string>;
}

/** A language process that keeps its state between runs. One run at a time. */
export interface QueryEngine {
  /** For messages: `python`, `node`, `sh`. */
  readonly what: string;
  readonly alive: boolean;
  /** Rejects with LanguageProcessGone when the process ends meanwhile. */
  run(code: string, sink: RunSink): Promise<number>;
  interrupt(): void;
  complete(code: string, cursor: number): Promise<string[]>;
  /** Ends the process with everything it started. */
  close(graceMs: number): Promise<void>;
}

export class LanguageProcessGone extends Error {
  constructor(
    readonly status: ExitStatus,
    /** False when the process never took notice of the run, so that it can be given to a new one. */
    readonly started: boolean,
  ) {
    super('language process gone');
  }
}
