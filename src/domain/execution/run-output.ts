import { ConsoleBuffer, type ConsoleKind } from './console-buffer.js';
import type { ConsoleItem, ExecutionStatus } from './execution.js';

/** A point in a run's output at which a call returns (krunner.md §3.4). */
export interface RunMark {
  readonly status: Exclude<ExecutionStatus, 'continued'>;
  readonly exitCode: number | null;
  readonly options: Readonly<Record<string, unknown>> | null;
}

export interface RunStep {
  readonly console: readonly ConsoleItem[];
  /** `undefined` = the run goes on. */
  readonly mark: RunMark | undefined;
}

/** Unread marks of a run that are kept; a run that asks for input without end must not fill the memory. */
const MAX_MARKS = 256;

/**
 * What a run said and nobody has read yet: console output and marks, in order, however long nobody asks. Output beyond
 * `capacity` (see ConsoleBuffer) is left out with a notice at its place; marks are not, up to a count that no honest
 * runner reaches, and the one that finishes the run never is.
 */
export class RunOutput {
  readonly #steps: { readonly console: ConsoleBuffer; readonly mark: RunMark }[] = [];
  #open = new ConsoleBuffer();
  #cost = 0;
  #spoke = false;
  #finished = false;

  constructor(private readonly capacity: number) {}

  append(kind: ConsoleKind, text: string): void {
    this.#spoke = true;
    this.#cost += this.#open.append(kind, text, this.capacity - this.#cost);
  }

  mark(mark: RunMark): void {
    this.#spoke = true;
    this.#finished ||= mark.status === 'finished';
    if (this.#steps.length >= MAX_MARKS && mark.status !== 'finished') return;
    this.#steps.push({ console: this.#open, mark });
    this.#open = new ConsoleBuffer();
  }

  /** True if a call has a reason to return before its deadline. */
  get hasMark(): boolean {
    return this.#steps.length > 0;
  }

  /** Half full: a call that returns now keeps output from being left out (krunner.md W11). */
  get isCrowded(): boolean {
    return this.#cost * 2 >= this.capacity;
  }

  /** True if there ever was output, read or not. */
  get hasSpoken(): boolean {
    return this.#spoke;
  }

  get hasFinished(): boolean {
    return this.#finished;
  }

  /** Takes the output up to the first mark, or all of it if there is none. */
  take(): RunStep {
    const step = this.#steps.shift();
    const console = step?.console ?? this.#open;
    if (!step) this.#open = new ConsoleBuffer();
    this.#cost -= console.cost;
    return { console: console.items(), mark: step?.mark };
  }
}
