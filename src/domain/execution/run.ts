import type { AgentError } from '../error/agent-error.js';
import { runNotFound } from '../error/errors.js';
import type { ExecutionResult } from './execution.js';
import type { RunOutput } from './run-output.js';

/**
 * waiting ──► active ──► done
 *    └──────────┴──────► failed
 *
 * `active` = its operations were handed to the runner; `done` = the runner said that it finished.
 */
export type RunPhase = 'waiting' | 'active' | 'done' | 'failed';

/** One logical execution, which may take many calls to read. */
export class Run {
  phase: RunPhase = 'waiting';
  failure: AgentError | undefined;
  #finish: { readonly exitCode: number | null } | undefined;

  constructor(
    readonly id: string,
    readonly output: RunOutput,
    /** Believed to go on in a runner that was there before this agent; a runner that names its runs is known to. */
    readonly isGuess = false,
  ) {}

  /** True if a call has something to return before its deadline. */
  get hasNews(): boolean {
    return this.output.hasMark || this.isRead || this.failure !== undefined;
  }

  /** True once its end was told to somebody. */
  get isRead(): boolean {
    return this.#finish !== undefined;
  }

  /** Fails with whatever made the run fail. */
  take(): ExecutionResult {
    if (this.failure) throw this.failure;
    // A second reader, or one that asks again because the first answer never reached it, is told the end again.
    if (this.#finish) return this.#result('finished', this.#finish.exitCode, null, []);
    const { console, mark } = this.output.take();
    if (mark?.status === 'finished') this.#finish = { exitCode: mark.exitCode };
    return this.#result(mark?.status ?? 'continued', mark?.exitCode ?? null, mark?.options ?? null, console);
  }

  fail(error: AgentError): void {
    if (this.phase === 'done' || this.phase === 'failed') return;
    this.phase = 'failed';
    this.failure = error;
  }

  #result(
    status: ExecutionResult['status'],
    exitCode: number | null,
    options: ExecutionResult['options'],
    console: ExecutionResult['console'],
  ): ExecutionResult {
    return { runId: this.id, status, exitCode, options, console };
  }
}

export function unknownRun(id: string): AgentError {
  return runNotFound(`there is no run '${id.slice(0, 64)}' in this kernel`, {
    field: 'run_id',
    allowed: 'the id of a run that is going on or ended a short while ago',
    hint: 'start it again with mode query or batch',
  });
}
