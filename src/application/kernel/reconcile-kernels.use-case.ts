import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { LABELS, parseContainerLabels } from '../../domain/kernel/container-labels.js';
import { Kernel } from '../../domain/kernel/kernel.js';
import type { TerminationReason } from '../../domain/kernel/termination-reason.js';
import { type DesiredKernel, type ObservedContainer, plan, type Step } from '../../domain/plan/plan.js';
import { AgentSettings } from '../agent-settings.js';
import { ContainerEngine, type ContainerState } from '../ports/container-engine.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { KernelStore } from '../ports/kernel-store.port.js';
import { Logger } from '../ports/logger.port.js';
import { ScratchStore } from '../ports/scratch-store.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import { KernelAdopter } from './kernel-adopter.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import { LiveKernel } from './live-kernel.js';

const CONDITION: Readonly<Record<ContainerState, ObservedContainer['condition']>> = {
  created: 'starting',
  running: 'alive',
  paused: 'alive',
  restarting: 'alive',
  removing: 'dead',
  exited: 'dead',
  dead: 'dead',
};

/** A kernel as it was when the pass began. */
type Snapshot = DesiredKernel & { readonly live: LiveKernel };

/** Makes the machine what the records say, at start and every few seconds; decides by the pure `plan`. */
@injectable()
export class ReconcileKernels {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(KernelAdopter) private readonly adopter: KernelAdopter,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(ScratchStore) private readonly scratch: ScratchStore,
    @inject(KernelStore) private readonly store: KernelStore,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Loads the records of an earlier life of this agent; a broken one is told and skipped. */
  async recover(signal: AbortSignal): Promise<void> {
    const { records, broken } = await this.store.load();
    for (const { path, problem } of broken) this.logger.error(`a kernel record was set aside: ${problem}`, { path });
    for (const record of records) {
      if (record.agentId !== this.settings.agentId) continue;
      const live = new LiveKernel(Kernel.fromRecord(record));
      this.adopter.restore(live);
      this.registry.add(live);
    }
    await this.execute(signal);
  }

  /** One pass. Steps that fail are logged and come again with the next pass. */
  async execute(signal: AbortSignal): Promise<readonly Step[]> {
    const labels = { agent_id: this.settings.agentId };
    this.telemetry.count('backendai_sync_container_lifecycle_trigger_count', labels);
    // Kernels first: one that is made while we look would otherwise seem to have no container.
    const before = this.registry.all().map((live): Snapshot => ({
      live,
      kernelId: live.kernel.id,
      state: live.kernel.state,
      containerId: live.kernel.containerId,
      busy: live.busy,
      attached: live.session !== undefined,
      terminationReason: live.kernel.terminationReason,
    }));
    const scratches = await this.scratch.list();
    const summaries = await this.engine.listContainers({ [LABELS.owner]: this.settings.agentId }, { signal });
    const containers: ObservedContainer[] = [];
    for (const summary of summaries) {
      const identity = parseContainerLabels(summary.labels);
      if (identity) containers.push({ ...identity, containerId: summary.id, condition: CONDITION[summary.state] });
    }
    const steps = plan({ containers, scratches }, { kernels: before }).filter((step) => this.#stillTrue(step, before));
    const outcomes = await Promise.allSettled(steps.map((step) => this.#apply(step, signal)));
    outcomes.forEach((outcome, index) => {
      const step = steps[index];
      if (!step) return;
      const fields = { kernel_id: step.kernelId, step: step.type };
      if (outcome.status === 'fulfilled') {
        this.telemetry.count('backendai_sync_container_lifecycle_success_count', labels);
        this.logger.info('repaired', fields);
      } else {
        const exception = outcome.reason instanceof Error ? outcome.reason.name : 'Error';
        this.telemetry.count('backendai_sync_container_lifecycle_failure_count', { ...labels, exception });
        this.logger.warn(`repair failed: ${messageOf(outcome.reason)}`, fields);
      }
    });
    return steps;
  }

  /** The registry moved on while the engine was being asked: do only what is still called for. */
  #stillTrue(step: Step, before: readonly Snapshot[]): boolean {
    const live = this.registry.find(step.kernelId);
    const then = before.find(({ kernelId }) => kernelId === step.kernelId);
    if (!live || !then) return live === then;
    const isSame =
      live === then.live && live.kernel.state === then.state && live.kernel.containerId === then.containerId;
    return isSame && !live.busy;
  }

  async #apply(step: Step, signal: AbortSignal): Promise<void> {
    const live = this.registry.find(step.kernelId);
    switch (step.type) {
      case 'adopt':
        if (live) await this.adopter.adopt(live, step.containerId, signal);
        return;
      case 'terminate':
        if (live) await this.#terminate(live, step.reason, signal);
        return;
      case 'remove-container':
        if (live) await this.engine.removeContainer(step.containerId, { signal });
        else await this.registry.sweep(step.kernelId, () => this.#removeUnknown(step, signal));
        return;
      case 'remove-scratch':
        await this.registry.sweep(step.kernelId, () => this.scratch.remove(step.kernelId, { signal }));
    }
  }

  /** How it ended is what an event that never came would have told. */
  async #terminate(live: LiveKernel, reason: TerminationReason, signal: AbortSignal): Promise<void> {
    const { kernel } = live;
    if (reason === 'self-terminated' && kernel.exitCode === null && kernel.containerId !== null) {
      const details = await this.engine.inspectContainer(kernel.containerId, { signal });
      kernel.exitCode = details?.exitCode ?? null;
      if (details?.oomKilled === true) kernel.notice = 'oom';
    }
    await this.terminator.terminate(live, reason);
  }

  async #removeUnknown(step: Extract<Step, { type: 'remove-container' }>, signal: AbortSignal): Promise<void> {
    const { kernelId, sessionId } = step;
    await this.engine.removeContainer(step.containerId, { signal });
    // If it departed, the engine made this after we had given up waiting for it, and the kernel's end was told.
    if (step.announce && !this.registry.hasDeparted(kernelId)) {
      const body = { kernel_id: kernelId, session_id: sessionId, exit_code: -1 };
      await this.events.announce({
        name: 'kernel_terminated',
        body: { ...body, reason: 'terminated-unknown-container' },
      });
    }
    await this.scratch.remove(kernelId, { signal });
  }
}
