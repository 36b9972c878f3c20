import { type AgentError, isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { invalidArgument, kernelRunnerFailure, kernelTerminated } from '../../domain/error/errors.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';
import { type Run, unknownRun } from '../../domain/execution/run.js';
import { DEFAULT_RUN_LIMITS, RunBook, type RunLimits } from '../../domain/execution/run-book.js';
import type { Call } from '../ports/call.js';
import type { Clock } from '../ports/clock.port.js';
import type { IdGenerator } from '../ports/id-generator.port.js';
import type { KernelRunner, RunRecord } from '../ports/kernel-runner.port.js';
import type { ExecuteRequest } from '../use-cases.js';
import { Wakeups } from './wakeups.js';

export interface RunSessionOptions {
  readonly limits?: RunLimits;
  /** The runner outlived an agent: a run may be going on, and the first `continue` with an unknown id claims it. */
  readonly isRecovered?: boolean;
}

/**
 * Code execution in one kernel, for as long as its runner lives (krunner.md §3.3–3.6). Owns the runner connection.
 *
 * Runs go to the runner one at a time, in the order in which they came. Records are kept with their run until a call
 * reads them; cancelling a call only ends the wait (krunner.md W6).
 */
export class RunSession implements AsyncDisposable {
  readonly #book: RunBook;
  readonly #wakeups = new Wakeups<Run>();
  /** Operations of runs in line, sent when their turn comes. */
  readonly #operations = new Map<Run, readonly Operation[]>();
  #closed: AgentError | undefined;

  constructor(
    /** For what has nothing to do with runs: status, apps, services, notifications. */
    readonly runner: KernelRunner,
    private readonly clock: Clock,
    private readonly ids: IdGenerator,
    options: RunSessionOptions = {},
  ) {
    this.#book = new RunBook(options.limits ?? DEFAULT_RUN_LIMITS, options.isRecovered);
    runner.onRecord((record) => this.#take(record));
  }

  /**
   * One call of a run: returns at its next mark, when unread output piles up, or after `flushTimeoutMs`, whichever
   * comes first; without `flushTimeoutMs` at a mark only. A run in line reports `continued` until its turn comes.
   *
   * Aborting rejects with the signal's reason and loses nothing: the next `continue` gets the records; a run whose turn
   * had not come is taken out of the line. Rejects with InvalidArgumentError, RunNotFoundError, TooManyRunsError,
   * KernelRunnerError (the runner took no operation) and KernelTerminatedError.
   */
  async execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult> {
    signal.throwIfAborted();
    this.#assertOpen();
    const run = this.#attach(request);
    using deadline =
      request.flushTimeoutMs === null ? undefined : this.clock.deadline(Math.max(0, request.flushTimeoutMs), signal);
    if (request.mode === 'input') await this.#sendInput(run, request.code);
    try {
      return await this.#collect(run, deadline, signal);
    } catch (error) {
      if (isStart(request)) this.#withdraw(run);
      throw error;
    }
  }

  /** What a recovered runner said of its runs (RunnerStatus). */
  learn(runs: ReadonlyMap<string, number | null>): void {
    this.#book.learn(runs);
  }

  /** Asks the runner to interrupt what runs; an idle one ignores it. Returns once the operation is handed over. */
  async interrupt(): Promise<void> {
    this.#assertOpen();
    await this.runner.send('interrupt', '');
  }

  /** Suggestions for `code`; `options` are passed on (`row`, `col`, `line`, `post`). */
  async complete(code: string, options: Readonly<Record<string, unknown>>, call: Call): Promise<readonly string[]> {
    this.#assertOpen();
    return this.runner.complete({ ...options, code }, call);
  }

  /**
   * Ends the session: pending and later calls reject with KernelTerminatedError that tells `reason`. To be called
   * before the container is stopped, since a stopping runner reports success for what it breaks off (krunner.md W38).
   */
  async close(reason: string): Promise<void> {
    if (this.#closed) return;
    this.#closed = kernelTerminated(`the kernel was terminated: ${reason}`, {
      hint: 'create a new kernel to run code',
    });
    this.runner.onRecord(undefined);
    for (const run of this.#book.failAll(this.#closed)) this.#wakeups.wake(run);
    this.#operations.clear();
    await this.runner[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close('the agent let go of it');
  }

  #attach(request: ExecuteRequest): Run {
    if (isStart(request)) return this.#start(request);
    if (request.runId === null) {
      throw invalidArgument(`mode '${request.mode}' needs the id of a run`, {
        field: 'run_id',
        allowed: 'the runId of an earlier result',
      });
    }
    const run = this.#book.find(request.runId);
    if (!run) throw unknownRun(request.runId);
    return run;
  }

  #start(request: ExecuteRequest): Run {
    const run = this.#book.start(request.runId ?? this.ids.hex(16));
    this.#operations.set(run, [['run-id', run.id], ...operationsOf(request)]);
    this.#advance();
    return run;
  }

  async #collect(run: Run, deadline: ReturnType<Clock['deadline']> | undefined, signal: AbortSignal) {
    const isDue = () => run.hasNews || (deadline !== undefined && (deadline.signal.aborted || run.output.isCrowded));
    while (!isDue()) {
      await this.#wakeups.sleep(run, deadline?.signal ?? signal);
      signal.throwIfAborted();
    }
    const result = run.take();
    if (result.status === 'finished') this.#wakeups.wake(run);
    return result;
  }

  async #sendInput(run: Run, text: string): Promise<void> {
    // Text for a run that is over would be swallowed by the next one that asks.
    if (run.phase === 'waiting') {
      throw invalidArgument(`run '${run.id}' has not started yet and takes no input`, {
        field: 'mode',
        allowed: "'continue' until the run waits for input",
      });
    }
    if (run.phase === 'active') await this.runner.send('input', text);
  }

  #take(record: RunRecord): void {
    const run = this.#book.record(record.kind, record.text);
    if (!run) return;
    if (run.hasNews || run.output.isCrowded) this.#wakeups.wake(run);
    if (run.phase === 'done') this.#advance();
  }

  /** Starts the next run in line if none is active. */
  #advance(): void {
    const before = this.#book.active;
    const run = this.#book.next();
    if (before && before !== this.#book.active) this.#wakeups.wake(before);
    if (!run) return;
    const operations = this.#operations.get(run) ?? [];
    this.#operations.delete(run);
    void this.#send(run, operations);
  }

  async #send(run: Run, operations: readonly Operation[]): Promise<void> {
    try {
      for (const [op, payload] of operations) await this.runner.send(op, payload);
    } catch (error) {
      const failure = isAgentError(error)
        ? error
        : kernelRunnerFailure(`the kernel runner takes no operation: ${messageOf(error)}`, { cause: error });
      this.#book.fail(run, failure);
      this.#wakeups.wake(run);
      this.#advance();
    }
  }

  #withdraw(run: Run): void {
    this.#book.withdraw(run);
    if (run.phase === 'failed') this.#operations.delete(run);
  }

  #assertOpen(): void {
    if (this.#closed) throw this.#closed;
  }
}

type Operation = readonly [op: 'run-id' | 'code' | 'clean' | 'build' | 'exec', payload: string];

function isStart(request: ExecuteRequest): boolean {
  return request.mode === 'query' || request.mode === 'batch';
}

/** A batch is always all three steps; an empty command is a step that does nothing (krunner.md §2.8). */
function operationsOf(request: ExecuteRequest): readonly Operation[] {
  if (request.mode === 'query') return [['code', request.code]];
  return [
    ['clean', request.batch?.clean ?? ''],
    ['build', request.batch?.build ?? ''],
    ['exec', request.batch?.exec ?? ''],
  ];
}
