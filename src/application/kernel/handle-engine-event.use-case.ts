import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerStartupFailed } from '../../domain/error/errors.js';
import { LABELS, parseContainerLabels } from '../../domain/kernel/container-labels.js';
import { AgentSettings } from '../agent-settings.js';
import type { EngineEvent } from '../ports/container-engine.port.js';
import { Logger } from '../ports/logger.port.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import type { LiveKernel } from './live-kernel.js';

/** What the engine tells about containers of this agent (lifecycle.md §5.4). Never throws: the stream must go on. */
@injectable()
export class HandleEngineEvent {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  execute(event: EngineEvent): void {
    if (event.attributes[LABELS.owner] !== this.settings.agentId) return;
    const identity = parseContainerLabels(event.attributes);
    const live = identity && this.registry.find(identity.kernelId);
    // A restart's old container may still speak.
    if (!live || live.kernel.containerId !== event.containerId) return;
    if (event.action === 'oom') this.#outOfMemory(live);
    if (event.action === 'die') this.#died(live, Number(event.attributes['exitCode'] ?? 255));
  }

  #outOfMemory(live: LiveKernel): void {
    live.kernel.notice = 'oom';
    this.logger.warn('kernel ran out of memory', { kernel_id: live.kernel.id });
    live.runner?.notify('oom', {}).catch(() => undefined);
  }

  #died(live: LiveKernel, exitCode: number): void {
    live.kernel.exitCode = exitCode;
    if (live.termination || live.restart) return;
    if (live.creation) {
      live.giveUp(containerStartupFailed(`the container ended with exit code ${exitCode} before it was ready`));
      return;
    }
    this.terminator.terminate(live, 'self-terminated').catch((error: unknown) => {
      this.logger.error(messageOf(error), { kernel_id: live.kernel.id });
    });
  }
}
