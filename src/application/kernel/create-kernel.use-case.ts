import { inject, injectable } from 'inversify';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { containerStartupCancelled } from '../../domain/error/errors.js';
import { Kernel } from '../../domain/kernel/kernel.js';
import type { KernelSpec } from '../../domain/kernel/kernel-spec.js';
import type { TerminationReason } from '../../domain/kernel/termination-reason.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import type { CreatedKernel } from '../use-cases.js';
import { CreationReport } from './creation-report.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import { LiveKernel } from './live-kernel.js';
import { StageRunner } from './provision/stage-runner.js';
import { SpecValidator } from './spec-validator.js';

/** Stages up to and with this one can only fail as `failed-to-create`; later ones are `failed-to-start`. */
const LAST_CREATING_STAGE = 'container';

/**
 * Makes a kernel, in the order of lifecycle.md §1.3: validate (no side effect) → `kernel_preparing` → image →
 * `kernel_creating` → slots → ports → scratch → container → start → runner → `kernel_started`.
 */
@injectable()
export class CreateKernel {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(SpecValidator) private readonly validator: SpecValidator,
    @inject(StageRunner) private readonly stages: StageRunner,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(CreationReport) private readonly report: CreationReport,
    @inject(KernelStore) private readonly store: KernelStore,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async execute(spec: KernelSpec, signal: AbortSignal): Promise<CreatedKernel> {
    for (;;) {
      const existing = this.registry.find(spec.kernelId);
      if (!existing) break;
      if (existing.creation) return { ...(await existing.creation), created: false };
      if (existing.restart) return { ...(await existing.restart), created: false };
      if (existing.kernel.state === 'RUNNING') return { ...this.report.of(existing), created: false };
      await this.terminator.terminate(existing, 'failed-to-create');
    }
    const live = new LiveKernel(new Kernel(spec, this.clock.now()));
    this.registry.add(live);
    live.creation = this.#create(live, AbortSignal.any([signal, live.signal]));
    try {
      return await live.creation;
    } finally {
      live.creation = undefined;
    }
  }

  async #create(live: LiveKernel, signal: AbortSignal): Promise<CreatedKernel> {
    const { kernel } = live;
    const began = this.clock.monotonic();
    let stageName = 'validate';
    try {
      kernel.slots = await this.validator.validate(kernel.spec);
      live.timingsMs['validate'] = this.clock.monotonic() - began;
      await this.store.save(kernel.toRecord(this.settings.agentId));
      await this.#announce(live, 'kernel_preparing');
      for (const stage of this.stages.stages) {
        stageName = stage.name;
        await this.stages.setUp(live, stage, signal);
        if (stage.name === 'image') await this.#announce(live, 'kernel_creating');
      }
      signal.throwIfAborted();
      kernel.become('RUNNING');
      kernel.startedAtMs = this.clock.now();
      await this.store.save(kernel.toRecord(this.settings.agentId));
    } catch (error) {
      const failure = asFailure(error, signal);
      this.logger.warn(`kernel not created: ${failure.message}`, { kernel_id: kernel.id, stage: stageName });
      await this.#undo(live, reasonFor(stageName, this.stages.stages.map((stage) => stage.name)));
      throw failure;
    }
    live.timingsMs['total'] = this.clock.monotonic() - began;
    await this.report.announceStarted(live);
    this.logger.info('kernel started', { kernel_id: kernel.id, image: kernel.spec.image.canonical });
    return this.report.of(live);
  }

  /** The caller learns why it failed to be made, not why it could not be unmade: that is the reconciler's then. */
  async #undo(live: LiveKernel, reason: TerminationReason): Promise<void> {
    try {
      await this.terminator.terminate(live, reason);
    } catch (error) {
      this.logger.error(messageOf(error), { kernel_id: live.kernel.id });
    }
  }

  async #announce(live: LiveKernel, name: 'kernel_preparing' | 'kernel_creating'): Promise<void> {
    const body = { kernel_id: live.kernel.id, session_id: live.kernel.sessionId, reason: '' };
    await this.events.announce({ name, body });
  }
}

function reasonFor(failed: string, order: readonly string[]): TerminationReason {
  return order.indexOf(failed) > order.indexOf(LAST_CREATING_STAGE) ? 'failed-to-start' : 'failed-to-create';
}

/** What made us give up explains more than the AbortError of the call that it interrupted. */
function asFailure(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    return isAgentError(reason) ? reason : containerStartupCancelled('the creation was cancelled', { cause: reason });
  }
  return error instanceof Error ? error : new Error(messageOf(error));
}
