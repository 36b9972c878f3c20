import type { AgentError } from '../error/agent-error.js';
import { tooManyRuns } from '../error/errors.js';
import type { RunnerKind } from '../krunner-wire/krunner-wire.js';
import { Run, unknownRun } from './run.js';
import { RunOutput } from './run-output.js';
import { parseExitCode, parseInputOptions, parseRunName } from './run-payload.js';

export interface RunLimits {
  /** Unread output per run, in UTF-16 units (see ConsoleBuffer). */
  readonly outputCapacity: number;
  /** Runs in line behind the active one. */
  readonly waiting: number;
  /** Ended runs that are kept for a later `continue`. */
  readonly ended: number;
}

export const DEFAULT_RUN_LIMITS: RunLimits = { outputCapacity: 16 * 2 ** 20, waiting: 64, ended: 4 };

/** Ended and read runs whose exit code is still known, so that a repeated `continue` gets the same end. */
const REMEMBERED = 32;

/**
 * The runs of one kernel: one active, others in line in the order in which they came, ended ones until somebody read
 * them (krunner.md §3.3, §3.4).
 *
 * Unlike the reference, a run stays attached from its start to its `finished`, whether or not a call waits for it:
 * output between two calls is kept (krunner.md W1), nobody who stops asking blocks the next run (W3), and a waiting run
 * keeps its identity when its turn comes (W4).
 */
export class RunBook {
  #active: Run | undefined;
  #waiting: Run[] = [];
  /** By id, oldest first: ended ones, unread or read. */
  readonly #ended = new Map<string, Run>();
  /** What a runner says that was busy before this agent knew it; `undefined` once a run was started here. */
  #unclaimed: RunOutput | undefined;

  /** `isRecovered`: the runner was there before, so that a run may be going on that nobody here started. */
  constructor(
    private readonly limits: RunLimits = DEFAULT_RUN_LIMITS,
    isRecovered = false,
  ) {
    if (isRecovered) this.#unclaimed = new RunOutput(limits.outputCapacity);
  }

  /** Puts a new run at the end of the line. Throws TooManyRunsError. An id names the newest run started under it. */
  start(id: string): Run {
    if (this.#waiting.length >= this.limits.waiting) {
      throw tooManyRuns(`${this.#waiting.length} runs wait in this kernel already`, {
        allowed: `at most ${this.limits.waiting} waiting runs`,
        retryable: true,
      });
    }
    const run = new Run(id, new RunOutput(this.limits.outputCapacity));
    this.#waiting.push(run);
    return run;
  }

  /** Makes the oldest waiting run active if none is; the caller then sends its operations. */
  next(): Run | undefined {
    const waiting = this.#waiting[0];
    if (!waiting) return undefined;
    // An adopted run that never said anything was a wrong guess: it must not hold up real ones for ever.
    if (this.#active?.isGuess && !this.#active.output.hasSpoken) this.#end('{}');
    if (this.#active) return undefined;
    this.#waiting.shift();
    this.#ended.delete(waiting.id);
    this.#unclaimed = undefined;
    waiting.phase = 'active';
    this.#active = waiting;
    return waiting;
  }

  /**
   * The run that a `continue` or `input` for `id` means: the active one, an ended one, or one in line. In a recovered
   * kernel an unknown id claims what the runner is doing.
   */
  find(id: string): Run | undefined {
    if (this.#active?.id === id) return this.#active;
    return this.#ended.get(id) ?? this.#waiting.find((run) => run.id === id) ?? this.#adopt(id);
  }

  /**
   * What a recovered runner says of its runs (name → exit code, `null` = going on): nothing has to be guessed then. Those
   * that ended are kept as ended here too, and new runs wait for the one that goes on. To be told before any run starts.
   */
  learn(runs: ReadonlyMap<string, number | null>): void {
    for (const [id, exitCode] of runs) {
      // Its end came by itself meanwhile.
      if (this.#ended.has(id)) continue;
      if (exitCode === null) this.#adopt(id, false);
      else {
        const run = new Run(id, new RunOutput(this.limits.outputCapacity));
        run.output.mark({ status: 'finished', exitCode, options: null });
        this.#keepEnded(run);
      }
    }
    this.#unclaimed = undefined;
  }

  /** The active run, if any. */
  get active(): Run | undefined {
    return this.#active;
  }

  /** Takes one record of the runner and returns the run it belongs to. */
  record(kind: RunnerKind, text: string): Run | undefined {
    const run = this.#active;
    const output = run?.output ?? this.#unclaimed;
    switch (kind) {
      case 'stdout':
      case 'stderr':
      case 'media':
      case 'html':
      case 'log':
        output?.append(kind, text);
        return run;
      case 'waiting-input':
        output?.mark({ status: kind, exitCode: null, options: parseInputOptions(text) });
        return run;
      case 'clean-finished':
      case 'build-finished':
        output?.mark({ status: kind, exitCode: parseExitCode(text), options: null });
        return run;
      case 'finished':
        return this.#finished(text);
      default:
        return undefined;
    }
  }

  /** Takes a run out of the line; one that is active or over stays. */
  withdraw(run: Run): void {
    if (run.phase !== 'waiting') return;
    this.#waiting = this.#waiting.filter((other) => other !== run);
    run.fail(unknownRun(run.id));
  }

  /** Ends a run that could not be carried out. */
  fail(run: Run, error: AgentError): void {
    if (this.#active === run) this.#active = undefined;
    this.#waiting = this.#waiting.filter((other) => other !== run);
    run.fail(error);
  }

  /** Ends all runs that are not over, and says which. */
  failAll(error: AgentError): readonly Run[] {
    const runs = [...(this.#active ? [this.#active] : []), ...this.#waiting];
    for (const run of runs) this.fail(run, error);
    return runs;
  }

  #finished(text: string): Run | undefined {
    const run = this.#active;
    const name = parseRunName(text);
    if (run) {
      // The end of a run that went on before this agent was there is not the end of the one that it started.
      if (name === undefined || name === run.id) this.#end(text);
      return run;
    }
    const output = this.#unclaimed;
    output?.mark({ status: 'finished', exitCode: parseExitCode(text), options: null });
    if (output !== undefined && name !== undefined) {
      this.#keepEnded(new Run(name, output));
      this.#unclaimed = new RunOutput(this.limits.outputCapacity);
    }
    return undefined;
  }

  #adopt(id: string, isGuess = true): Run | undefined {
    if (this.#unclaimed === undefined || this.#active) return undefined;
    const run = new Run(id, this.#unclaimed, isGuess);
    this.#unclaimed = undefined;
    if (run.output.hasFinished) this.#keepEnded(run);
    else {
      run.phase = 'active';
      this.#active = run;
    }
    return run;
  }

  #end(payload: string): void {
    const run = this.#active;
    if (!run) return;
    this.#active = undefined;
    run.output.mark({ status: 'finished', exitCode: parseExitCode(payload), options: null });
    this.#keepEnded(run);
  }

  #keepEnded(run: Run): void {
    run.phase = 'done';
    this.#ended.delete(run.id);
    this.#ended.set(run.id, run);
    const ended = [...this.#ended.values()];
    const unread = ended.filter((other) => !other.isRead);
    const read = ended.filter((other) => other.isRead);
    for (const old of unread.slice(0, -this.limits.ended)) this.#ended.delete(old.id);
    for (const old of read.slice(0, -REMEMBERED)) this.#ended.delete(old.id);
  }
}
