import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { runNotFound } from '../../domain/error/errors.js';
import {
  BATCH_BROKEN,
  BATCH_RUN_ID,
  BATCH_TIMED_OUT,
  type BatchJob,
  type BatchOutcome,
  batchOutcome,
  dueRepetitions,
  remainingMs,
  settlingMs,
} from '../../domain/execution/batch-job.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';
import type { SessionId } from '../../domain/kernel/kernel-id.js';
import { AgentSettings } from '../agent-settings.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import type { ExecuteRequest, KernelRef } from '../use-cases.js';
import { ExecuteCode } from './execute-code.use-case.js';

/** Output of a job is in the container's log; what the runner sends of it is thrown away this often at the latest. */
const READ_MS = 30_000;
/** A job that has run out of time is interrupted, and again after each of these pauses; the last one kills it. */
const INTERRUPT_PAUSES_MS = [2_000, 1_000];
/** How often to look whether the kernel is ended while the end of its job waits to be told. */
const SETTLING_STEP_MS = 100;

type BatchRequest = KernelRef & { readonly code: string; readonly timeoutMs: number | null };

/**
 * Batch sessions (rpc.md §6.10, krunner.md §3.7): runs the startup command as the `exec` step of one run, and tells
 * `session_success` or `session_failure` once. What ends the kernel meanwhile is told by `kernel_terminated` alone.
 *
 * The job is part of the kernel's record and its exit code is kept by the runner, so an agent that comes back goes on
 * where the last one was. A crash between the event and the record's note that it was told repeats the event; nothing
 * can lose it.
 */
@injectable()
export class RunBatch {
  readonly #underWay = new WeakSet<LiveKernel>();
  /** How often the end was told again; a restarted agent counts anew. */
  readonly #repetitions = new WeakMap<LiveKernel, number>();

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(ExecuteCode) private readonly code: ExecuteCode,
    @inject(KernelStore) private readonly store: KernelStore,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /**
   * Returns once the job is recorded; it then runs by itself. A second call for the same kernel is a repetition and does
   * nothing. An unknown kernel is told as `session_failure` (rpc.md §7.2.24). `timeoutMs` null = no limit, 0 = over at once.
   */
  async execute({ kernelId, sessionId, code, timeoutMs }: BatchRequest, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const live = this.registry.find(kernelId);
    if (!live) {
      this.logger.warn('a batch job for a kernel that is not here', { kernel_id: kernelId });
      await this.#tell(sessionId, BATCH_BROKEN);
      return;
    }
    if (live.kernel.batch) return;
    live.kernel.batch = { code, startedAtMs: this.clock.now(), timeoutMs, isOver: false };
    await this.#remember(live);
    this.#start(live, false);
  }

  /** Goes on with the job of a kernel that outlived an agent, if it has one that is not over. */
  resume(live: LiveKernel): void {
    if (live.kernel.batch?.isOver === false) this.#start(live, true);
  }

  /** Tells ends again that nobody acted upon: the kernel of a job that is over is still there. */
  async repeatEnds(): Promise<void> {
    for (const live of this.registry.all()) {
      const job = live.kernel.batch;
      if (!job?.end || this.#isEnding(live)) continue;
      const due = dueRepetitions(job, this.clock.now());
      if (due <= (this.#repetitions.get(live) ?? 0)) continue;
      this.#repetitions.set(live, due);
      this.logger.info('nobody ended the kernel of a batch job that is over: telling again', {
        kernel_id: live.kernel.id,
      });
      await this.#tell(live.kernel.sessionId, job.end.outcome);
    }
  }

  #start(live: LiveKernel, isResumed: boolean): void {
    if (this.#underWay.has(live)) return;
    this.#underWay.add(live);
    this.#run(live, isResumed)
      .catch((error: unknown) => {
        this.logger.error(`batch job: ${messageOf(error)}`, { kernel_id: live.kernel.id });
      })
      .finally(() => this.#underWay.delete(live));
  }

  async #run(live: LiveKernel, isResumed: boolean): Promise<void> {
    const { kernel } = live;
    // Not yet ready: the job begins as soon as it is. If it never is, its end is told by another event.
    await Promise.allSettled([live.creation, live.adoption]);
    const job = kernel.batch;
    if (!job) return;
    const outcome = job.end?.outcome ?? (await this.#outcomeOf(live, job, isResumed));
    if (!outcome) return;
    this.logger.info(`batch job ended: ${outcome.reason}`, { kernel_id: kernel.id, exit_code: outcome.exitCode });
    const end = { outcome, atMs: this.clock.now() };
    kernel.batch = { ...job, end };
    await this.#remember(live);
    await this.#settle(live, job);
    await this.#tell(kernel.sessionId, outcome);
    kernel.batch = { ...job, end, isOver: true };
    await this.#remember(live);
  }

  /** Until the Manager is done with starting the session, or the kernel is ended. */
  async #settle(live: LiveKernel, job: BatchJob): Promise<void> {
    for (let left = settlingMs(job, this.clock.now()); left > 0 && !this.#isEnding(live);) {
      await this.clock.sleep(Math.min(left, SETTLING_STEP_MS));
      left = settlingMs(job, this.clock.now());
    }
  }

  /** `undefined` = the kernel ended first. */
  async #outcomeOf(live: LiveKernel, job: BatchJob, isResumed: boolean): Promise<BatchOutcome | undefined> {
    try {
      // What ended while no agent was there ended in time, as far as anybody can know.
      const found = isResumed ? await this.#find(live) : undefined;
      if (found?.status === 'finished') return batchOutcome(found.exitCode);
      const leftMs = remainingMs(job, this.clock.now());
      if (leftMs === undefined) return await this.#follow(live, job, found !== undefined, FOREVER);
      if (leftMs === 0 && !found) return BATCH_TIMED_OUT;
      using limit = this.clock.deadline(leftMs);
      try {
        return await this.#follow(live, job, found !== undefined, limit.signal);
      } catch (error) {
        if (!limit.expired || this.#isEnding(live)) throw error;
        void this.#cutOff(live);
        return BATCH_TIMED_OUT;
      }
    } catch (error) {
      if (this.#isEnding(live)) return undefined;
      this.logger.warn(`batch job broken off: ${messageOf(error)}`, { kernel_id: live.kernel.id });
      return BATCH_BROKEN;
    }
  }

  /** What the runner knows of the job; `undefined` = it was never given to it. */
  async #find(live: LiveKernel): Promise<ExecutionResult | undefined> {
    try {
      return await this.#call(live, { mode: 'continue', flushTimeoutMs: 0 }, FOREVER);
    } catch (error) {
      if (error instanceof Error && error.name === runNotFound('').name) return undefined;
      throw error;
    }
  }

  async #follow(live: LiveKernel, job: BatchJob, isRunning: boolean, signal: AbortSignal): Promise<BatchOutcome> {
    let mode: ExecuteRequest['mode'] = isRunning ? 'continue' : 'batch';
    for (;;) {
      const batch = { clean: '', build: '', exec: job.code };
      const { status, exitCode } = await this.#call(live, { mode, batch, flushTimeoutMs: READ_MS }, signal);
      if (status === 'finished') return batchOutcome(exitCode);
      mode = 'continue';
    }
  }

  #call(live: LiveKernel, request: Omit<ExecuteRequest, 'kernelId' | 'runId' | 'code'>, signal: AbortSignal) {
    return this.code.execute({ kernelId: live.kernel.id, runId: BATCH_RUN_ID, code: '', ...request }, signal);
  }

  /** Never fails: the session is about to be destroyed anyway. */
  async #cutOff(live: LiveKernel): Promise<void> {
    try {
      for (const pauseMs of INTERRUPT_PAUSES_MS) {
        await this.code.interrupt(live.kernel.id, FOREVER);
        const { status } = await this.#call(live, { mode: 'continue', flushTimeoutMs: pauseMs }, FOREVER);
        if (status === 'finished') return;
      }
      await this.code.interrupt(live.kernel.id, FOREVER);
    } catch (error) {
      this.logger.debug(`could not interrupt a batch job: ${messageOf(error)}`, { kernel_id: live.kernel.id });
    }
  }

  #isEnding({ kernel }: LiveKernel): boolean {
    return kernel.state === 'TERMINATING' || kernel.state === 'TERMINATED';
  }

  async #tell(sessionId: SessionId, { reason, exitCode }: BatchOutcome): Promise<void> {
    const name = reason === 'task-finished' ? 'session_success' : 'session_failure';
    await this.events.announce({ name, body: { session_id: sessionId, reason, exit_code: exitCode } });
  }

  /** A record of a kernel that is on its way out must not come back; and a full disk must not keep a job from running. */
  async #remember(live: LiveKernel): Promise<void> {
    if (this.#isEnding(live)) return;
    try {
      await this.store.save(live.kernel.toRecord(this.settings.agentId));
    } catch (error) {
      this.logger.warn(`could not save the record: ${messageOf(error)}`, { kernel_id: live.kernel.id });
    }
  }
}

const FOREVER = new AbortController().signal;
