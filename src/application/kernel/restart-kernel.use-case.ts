import { inject, injectable } from 'inversify';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { containerStartupFailed, deadlineExceeded, kernelNotFound } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { TerminationReason } from '../../domain/kernel/termination-reason.js';
import { AgentSettings } from '../agent-settings.js';
import { waitFor } from '../concurrency/wait-for.js';
import { Clock } from '../ports/clock.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import type { CreatedKernel } from '../use-cases.js';
import { CreationReport } from './creation-report.js';
import { failureOf } from './failure-of.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import type { LiveKernel } from './live-kernel.js';
import { StageRunner } from './provision/stage-runner.js';

/** The status that all time-outs of the catalogue have. */
const TIMED_OUT = deadlineExceeded('').status;

/**
 * A new container for a kernel that keeps its scratch, its devices and its ports (rpc.md §6.7). The old container is gone
 * before the new one is made, and a new one that fails ends the kernel: there is never half of each.
 */
@injectable()
export class RestartKernel {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(StageRunner) private readonly stages: StageRunner,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(CreationReport) private readonly report: CreationReport,
    @inject(KernelStore) private readonly store: KernelStore,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** A second call joins a restart under way. */
  async execute(kernelId: KernelId, signal: AbortSignal): Promise<CreatedKernel> {
    const live = this.registry.get(kernelId);
    if (live.creation) await waitFor(live.creation, signal);
    if (live.adoption) await waitFor(live.adoption, signal);
    if (live.restart) return waitFor(live.restart, signal);
    if (live.kernel.state !== 'RUNNING') {
      throw kernelNotFound(`kernel ${kernelId} is ${live.kernel.state} and can't be restarted`, {
        field: 'kernel_id',
        allowed: 'a kernel that is RUNNING',
      });
    }
    live.restart = this.#restart(live, AbortSignal.any([signal, live.signal])).finally(() => {
      live.restart = undefined;
    });
    return live.restart;
  }

  async #restart(live: LiveKernel, signal: AbortSignal): Promise<CreatedKernel> {
    const { kernel } = live;
    const began = this.clock.monotonic();
    live.timingsMs = {};
    await this.#begin(live, signal);
    let reason: TerminationReason = 'restart-timeout';
    try {
      const failures = await this.stages.unwind(live, (stage) => stage.onRestart === 'remake');
      if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '));
      // The old container is out of the way.
      reason = 'failed-to-start';
      await this.stages.setUp(live, signal, (stage) => stage.onRestart !== 'keep');
      kernel.become('RUNNING');
      kernel.startedAtMs = this.clock.now();
      await this.store.save(kernel.toRecord(this.settings.agentId));
      signal.throwIfAborted();
    } catch (error) {
      const failure = failureOf(error, signal);
      const isLate = isAgentError(failure) && failure.status === TIMED_OUT;
      await this.terminator.terminate(live, isLate ? 'restart-timeout' : reason).catch((problem: unknown) => {
        this.logger.error(messageOf(problem), { kernel_id: kernel.id });
      });
      const fail = isLate ? deadlineExceeded : containerStartupFailed;
      throw fail(`the kernel could not be restarted: ${failure.message}`, {
        hint: 'it was terminated; create it again',
        retryable: false,
        cause: failure,
      });
    }
    live.timingsMs['total'] = this.clock.monotonic() - began;
    await this.report.announceStarted(live);
    this.logger.info('kernel restarted', { kernel_id: kernel.id });
    return this.report.of(live);
  }

  /** Up to here the kernel runs on as if nobody had asked. */
  async #begin({ kernel }: LiveKernel, signal: AbortSignal): Promise<void> {
    try {
      kernel.become('RESTARTING');
      signal.throwIfAborted();
      await this.store.save(kernel.toRecord(this.settings.agentId));
    } catch (error) {
      kernel.become('RUNNING');
      throw failureOf(error, signal);
    }
  }
}
