import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerStartupFailed, kernelNotFound } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import type { CreatedKernel } from '../use-cases.js';
import { CreationReport } from './creation-report.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import type { LiveKernel } from './live-kernel.js';
import { StageRunner } from './provision/stage-runner.js';

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

  async execute(kernelId: KernelId, signal: AbortSignal): Promise<CreatedKernel> {
    const live = this.registry.get(kernelId);
    if (live.creation) await live.creation;
    if (live.termination || live.kernel.state === 'TERMINATING') {
      throw kernelNotFound(`kernel ${kernelId} is being terminated`, { field: 'kernel_id' });
    }
    live.restart ??= this.#restart(live, AbortSignal.any([signal, live.signal]));
    try {
      return await live.restart;
    } finally {
      live.restart = undefined;
    }
  }

  async #restart(live: LiveKernel, signal: AbortSignal): Promise<CreatedKernel> {
    const { kernel } = live;
    const began = this.clock.monotonic();
    live.timingsMs = {};
    try {
      kernel.become('RESTARTING');
      await this.store.save(kernel.toRecord(this.settings.agentId));
      const failures = await this.stages.unwind(live, (stage) => stage.onRestart === 'remake');
      if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '));
      for (const stage of this.stages.stages) {
        if (stage.onRestart !== 'keep') await this.stages.setUp(live, stage, signal);
      }
      signal.throwIfAborted();
      kernel.become('RUNNING');
      kernel.startedAtMs = this.clock.now();
      await this.store.save(kernel.toRecord(this.settings.agentId));
    } catch (error) {
      await this.terminator.terminate(live, 'failed-to-start').catch((problem: unknown) => {
        this.logger.error(messageOf(problem), { kernel_id: kernel.id });
      });
      throw containerStartupFailed(`the kernel could not be restarted: ${messageOf(error)}`, {
        hint: 'it was terminated; create it again',
        cause: error,
      });
    }
    live.timingsMs['total'] = this.clock.monotonic() - began;
    await this.report.announceStarted(live);
    this.logger.info('kernel restarted', { kernel_id: kernel.id });
    return this.report.of(live);
  }
}
