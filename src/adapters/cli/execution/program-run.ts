import { isAgentError } from '../../../domain/error/agent-error.js';
import type { ConsoleItem, ExecutionResult } from '../../../domain/execution/execution.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { ExecuteRequest } from '../../../application/use-cases.js';
import type { AgentClient } from '../client/agent-client.js';
import { ConsoleRecord, type RunOutcome, type RunStatus } from './run-outcome.js';

export interface ProgramRunOptions {
  readonly kernelId: KernelId;
  readonly code: string;
  readonly runId: string;
  /** `null` = as long as it takes. */
  readonly timeoutMs: number | null;
  /** Called for each piece of output, in order; waited for. */
  readonly onOutput: (item: ConsoleItem) => Promise<void>;
  /** A line for the program, without its end; `undefined` at the end of input. */
  readonly readLine: (isSecret: boolean, signal: AbortSignal) => Promise<string | undefined>;
  readonly onNotice: (text: string) => void;
  /** Keeps the console for the outcome. */
  readonly isRecorded: boolean;
}

/** How often output is fetched while nothing else happens. */
const FLUSH_MS = 100;
/** How long an interrupted program may take to end before we stop listening to it. */
const INTERRUPT_GRACE_MS = 3_000;

/** One program in a kernel, from its start to its end: output streamed, input passed on, interrupted when told to. */
export class ProgramRun {
  readonly #record = new ConsoleRecord();
  readonly #giveUp = new AbortController();
  #input = new AbortController();
  #broken: 'timeout' | 'interrupted' | undefined;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly client: AgentClient,
    private readonly options: ProgramRunOptions,
  ) {}

  /** Runs to the end of the program. Firing `signal` stops listening; whoever fires it looks after the kernel. */
  async run(signal: AbortSignal): Promise<RunOutcome> {
    const { timeoutMs } = this.options;
    const timer =
      timeoutMs === null ? undefined : setTimeout(() => this.#breakOff('timeout'), Math.min(timeoutMs, 2 ** 31 - 1));
    const whole = AbortSignal.any([signal, this.#giveUp.signal]);
    try {
      return await this.#outcome(await this.#drive(whole), signal);
    } catch (error) {
      // Gave up on a program that would not end: an outcome, not a failure.
      if (this.#giveUp.signal.aborted && !signal.aborted && this.#broken !== undefined)
        return this.#ended(this.#broken, null);
      // The kernel itself may be what ran out of memory, and the run with it.
      if (isAgentError(error) && !signal.aborted && (await this.#ranOutOfMemory(signal)))
        return this.#ended('oom', null);
      throw error;
    } finally {
      clearTimeout(timer);
      clearTimeout(this.#graceTimer);
    }
  }

  /** Ctrl-C: the program gets an interrupt; a read that waits for a line is ended. */
  interrupt(): void {
    this.#breakOff('interrupted');
  }

  /** The program ignores the interrupt: its outcome is given at once, and whoever calls this looks after the kernel. */
  abandon(): void {
    this.#broken ??= 'interrupted';
    this.#giveUp.abort();
  }

  async #drive(signal: AbortSignal): Promise<ExecutionResult> {
    const { kernelId, runId, code } = this.options;
    const call = (mode: ExecuteRequest['mode'], text: string): Promise<ExecutionResult> =>
      this.client.execute({ kernelId, runId, mode, code: text, flushTimeoutMs: FLUSH_MS }, signal);
    let result = await call('query', code);
    for (;;) {
      for (const item of result.console) {
        if (this.options.isRecorded) this.#record.add(item);
        await this.options.onOutput(item);
      }
      if (result.status === 'finished' || result.status === 'exec-timeout') return result;
      const line = result.status === 'waiting-input' ? await this.#line(result, signal) : undefined;
      result = line === undefined ? await call('continue', '') : await call('input', line);
    }
  }

  /** `undefined` = there is none: the program was interrupted instead. */
  async #line(request: ExecutionResult, signal: AbortSignal): Promise<string | undefined> {
    if (this.#broken !== undefined) return undefined;
    this.#input = new AbortController();
    try {
      const isSecret = request.options?.['is_password'] === true;
      const line = await this.options.readLine(isSecret, AbortSignal.any([signal, this.#input.signal]));
      if (line !== undefined) return line;
    } catch (error) {
      if (this.#input.signal.aborted && !signal.aborted) return undefined;
      throw error;
    }
    this.options.onNotice('the program asks for input, and standard input is at its end: interrupting it');
    await this.client.interrupt(this.options.kernelId, signal);
    return undefined;
  }

  #breakOff(why: 'timeout' | 'interrupted'): void {
    this.#broken ??= why;
    this.#input.abort();
    if (this.#graceTimer !== undefined) return;
    // A program that shields itself from interrupts must not hold us after its time is up; Ctrl-C can be pressed again.
    this.#graceTimer = why === 'timeout' ? setTimeout(() => this.#giveUp.abort(), INTERRUPT_GRACE_MS) : undefined;
    this.client.interrupt(this.options.kernelId, this.#giveUp.signal).catch((error: unknown) => {
      if (isAgentError(error)) this.options.onNotice(`the program can't be interrupted: ${error.message}`);
    });
  }

  async #outcome(result: ExecutionResult, signal: AbortSignal): Promise<RunOutcome> {
    if (result.status === 'exec-timeout') return this.#ended('timeout', result.exitCode);
    if (this.#broken === 'timeout') return this.#ended('timeout', result.exitCode);
    if (result.exitCode === 0 || result.exitCode === null) return this.#ended('finished', result.exitCode);
    if (await this.#ranOutOfMemory(signal)) return this.#ended('oom', result.exitCode);
    return this.#ended(this.#broken ?? 'exception', result.exitCode);
  }

  async #ranOutOfMemory(signal: AbortSignal): Promise<boolean> {
    const kernels = await this.client.listKernels(signal);
    return kernels.find(({ kernelId }) => kernelId === this.options.kernelId)?.notice === 'oom';
  }

  #ended(status: RunStatus, exitCode: number | null): RunOutcome {
    return { status, exitCode, console: this.#record.items };
  }
}
