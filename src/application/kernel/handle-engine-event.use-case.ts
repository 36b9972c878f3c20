import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerStartupFailed } from '../../domain/error/errors.js';
import { LABELS, parseContainerLabels } from '../../domain/kernel/container-labels.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import type { EngineEvent } from '../ports/container-engine.port.js';
import { Logger } from '../ports/logger.port.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import type { LiveKernel } from './live-kernel.js';
import { PostMortem } from './post-mortem.js';

/** To say why a container died, nobody waits longer. */
const POST_MORTEM_MS = 5_000;

/** What the engine tells about containers of this agent (lifecycle.md §5.4). Never throws: the stream must go on. */
@injectable()
export class HandleEngineEvent {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(PostMortem) private readonly postMortem: PostMortem,
    @inject(Clock) private readonly clock: Clock,
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
    const { kernel } = live;
    // A restart ends the old container itself, and asks the new one whether it lives.
    if (live.termination || kernel.state === 'RESTARTING') return;
    kernel.exitCode = exitCode;
    this.#end(live, exitCode).catch((error: unknown) => {
      this.logger.error(messageOf(error), { kernel_id: kernel.id });
    });
  }

  async #end(live: LiveKernel, exitCode: number): Promise<void> {
    if (live.kernel.state === 'PREPARING') {
      const reason = await this.#reasonOf(live, exitCode);
      live.giveUp(reason);
    }
    // It may have come through all the same: then it was told to have started, and ends like any other.
    await (live.creation ?? live.restart)?.catch(() => undefined);
    await this.terminator.terminate(live, 'self-terminated');
  }

  async #reasonOf({ kernel }: LiveKernel, exitCode: number): Promise<Error> {
    using deadline = this.clock.deadline(POST_MORTEM_MS);
    try {
      await this.postMortem.mustLive(kernel.containerId ?? '', { signal: deadline.signal });
    } catch (error) {
      if (error instanceof Error && error.name === containerStartupFailed('').name) return error;
    }
    return containerStartupFailed(`the container ended with exit code ${exitCode} before it was ready`);
  }
}
