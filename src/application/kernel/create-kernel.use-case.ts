import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { Kernel } from '../../domain/kernel/kernel.js';
import type { KernelSpec } from '../../domain/kernel/kernel-spec.js';
import type { TerminationReason } from '../../domain/kernel/termination-reason.js';
import { AgentSettings } from '../agent-settings.js';
import { waitFor } from '../concurrency/wait-for.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import type { CreatedKernel } from '../use-cases.js';
import { CreationReport } from './creation-report.js';
import { failureOf } from './failure-of.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import { LiveKernel } from './live-kernel.js';
import type { Provisioner } from './provision/provisioner.js';
import { StageRunner } from './provision/stage-runner.js';
import { SpecValidator } from './spec-validator.js';

/** After it the kernel has all that it takes from the books. */
const LAST_BOOKING_STAGE = 'ports';

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
      const sweep = this.registry.sweepOf(spec.kernelId);
      if (sweep) {
        await waitFor(sweep, signal);
        continue;
      }
      const existing = this.registry.find(spec.kernelId);
      if (!existing) break;
      const isEnding = existing.kernel.state === 'TERMINATING' || existing.signal.aborted;
      const making = existing.creation ?? existing.restart;
      if (making && !isEnding) return { ...(await waitFor(making, signal)), created: false };
      if (existing.kernel.state === 'RUNNING' && !isEnding) return { ...this.report.of(existing), created: false };
      if (making) await waitFor(making.then(noResult, noResult), signal);
      await waitFor(this.terminator.terminate(existing, 'failed-to-create'), signal);
    }
    const live = new LiveKernel(new Kernel(spec, this.clock.now()));
    this.registry.add(live);
    live.creation = this.#create(live, AbortSignal.any([signal, live.signal])).finally(() => {
      live.creation = undefined;
    });
    return live.creation;
  }

  async #create(live: LiveKernel, signal: AbortSignal): Promise<CreatedKernel> {
    const { kernel } = live;
    const began = this.clock.monotonic();
    try {
      kernel.slots = await this.validator.validate(kernel.spec);
      live.timingsMs['validate'] = this.clock.monotonic() - began;
      await this.#save(live);
      await this.#announce(live, 'kernel_preparing');
      await this.stages.setUp(live, signal, undefined, (stage) => this.#after(stage, live));
      kernel.become('RUNNING');
      kernel.startedAtMs = this.clock.now();
      await this.#save(live);
      signal.throwIfAborted();
    } catch (error) {
      const failure = failureOf(error, signal);
      const stage = this.stages.lastBegun(live)?.name ?? 'validate';
      this.logger.warn(`kernel not created: ${failure.message}`, { kernel_id: kernel.id, stage });
      await this.#undo(live, kernel.containerId === null ? 'failed-to-create' : 'failed-to-start');
      throw failure;
    }
    live.timingsMs['total'] = this.clock.monotonic() - began;
    await this.report.announceStarted(live);
    this.logger.info('kernel started', { kernel_id: kernel.id, image: kernel.spec.image.canonical });
    return this.report.of(live);
  }

  async #after(stage: Provisioner, live: LiveKernel): Promise<void> {
    if (stage.name === 'image') await this.#announce(live, 'kernel_creating');
    // An agent that starts while the engine is away must know what this container uses.
    if (stage.name === LAST_BOOKING_STAGE) await this.#save(live);
  }

  #save({ kernel }: LiveKernel): Promise<void> {
    return this.store.save(kernel.toRecord(this.settings.agentId));
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

const noResult = () => undefined;
