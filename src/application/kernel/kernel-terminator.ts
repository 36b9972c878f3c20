import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerTeardownIncomplete, kernelTerminated } from '../../domain/error/errors.js';
import type { TerminationReason } from '../../domain/kernel/termination-reason.js';
import { AgentSettings } from '../agent-settings.js';
import { EventBus } from '../ports/event-bus.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import { KernelSeries } from '../statistics/kernel-series.js';
import { KernelRegistry } from './kernel-registry.js';
import type { LiveKernel } from './live-kernel.js';
import { StageRunner } from './provision/stage-runner.js';

/**
 * The one way in which a kernel ends, whatever ended it.
 *
 * Order: state on disk, teardown, terminal event, record gone, books. A crash before the event repeats all of it; after it
 * the event is announced once more, and the outbox, which remembers, tells it to no Manager again. If something can't be
 * torn down (the engine is away), the kernel stays TERMINATING with everything it holds and the reconciler comes back to
 * it: what is still in use is never handed out.
 */
@injectable()
export class KernelTerminator {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(StageRunner) private readonly stages: StageRunner,
    @inject(KernelStore) private readonly store: KernelStore,
    @inject(EventBus) private readonly events: EventBus,
    @inject(KernelSeries) private readonly series: KernelSeries,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Joins a termination under way. Rejects if something could not be torn down. */
  async terminate(live: LiveKernel, reason: TerminationReason): Promise<void> {
    live.kernel.recordReason(reason);
    if (live.kernel.state === 'TERMINATED') return;
    live.termination ??= this.#terminate(live).finally(() => {
      live.termination = undefined;
    });
    await live.termination;
  }

  async #terminate(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    kernel.become('TERMINATING');
    if (live.adoption) {
      live.giveUp(kernelTerminated('the kernel was terminated while the agent took it over'));
      await live.adoption.catch(() => undefined);
    }
    await this.#remember(live);
    const failures = await this.stages.unwind(live);
    if (failures.length > 0) {
      throw containerTeardownIncomplete(
        `kernel ${kernel.id} could not be removed completely: ${failures.map(messageOf).join('; ')}`,
        { hint: 'the agent keeps its resources and tries again by itself', cause: new AggregateError(failures) },
      );
    }
    await this.#tell(live);
    await this.store.remove(kernel.id);
    this.stages.release(live);
    kernel.become('TERMINATED');
    this.registry.delete(live);
    this.series.retire(kernel.id);
    this.logger.info('kernel terminated', { kernel_id: kernel.id, reason: kernel.terminationReason });
  }

  /** Once, also when what comes after it has to be tried again. */
  async #tell(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    if (kernel.endsSilently || live.terminalEventTold) return;
    live.terminalEventTold = true;
    await this.events.announce({
      name: 'kernel_terminated',
      body: {
        kernel_id: kernel.id,
        session_id: kernel.sessionId,
        reason: kernel.recordReason('unknown'),
        exit_code: kernel.exitCode ?? -1,
      },
    });
  }

  /** A full disk must not keep a kernel alive: its end is then found again by comparing with the engine. */
  async #remember(live: LiveKernel): Promise<void> {
    try {
      await this.store.save(live.kernel.toRecord(this.settings.agentId));
    } catch (error) {
      this.logger.warn(`could not save the record: ${messageOf(error)}`, { kernel_id: live.kernel.id });
    }
  }
}
