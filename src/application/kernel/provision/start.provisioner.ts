import { inject, injectable } from 'inversify';
import { messageOf } from '../../../domain/error/agent-error.js';
import { AgentSettings } from '../../agent-settings.js';
import type { Call } from '../../ports/call.js';
import { ContainerEngine } from '../../ports/container-engine.port.js';
import { Logger } from '../../ports/logger.port.js';
import { UsageSource } from '../../ports/usage-source.port.js';
import { KernelStatistics } from '../../statistics/kernel-statistics.use-case.js';
import { ContainerLogKeeper } from '../container-log-keeper.js';
import type { LiveKernel } from '../live-kernel.js';
import { PostMortem } from '../post-mortem.js';
import type { Provisioner } from './provisioner.js';

/** The container runs and its counters are open. */
@injectable()
export class StartProvisioner implements Provisioner {
  readonly name = 'start';
  readonly onRestart = 'remake';
  readonly takesTurn = true;

  constructor(
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(UsageSource) private readonly usage: UsageSource,
    @inject(KernelStatistics) private readonly statistics: KernelStatistics,
    @inject(ContainerLogKeeper) private readonly logs: ContainerLogKeeper,
    @inject(PostMortem) private readonly postMortem: PostMortem,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async setup(live: LiveKernel, call: Call): Promise<void> {
    const id = live.kernel.containerId;
    if (id === null) throw new Error('the container stage comes before the start stage');
    await Promise.all(live.portHolds.splice(0).map((hold) => hold[Symbol.asyncDispose]()));
    await this.engine.startContainer(id, call);
    // The counters of a new container begin anew.
    live.oomKills = 0;
    await this.adopt(live, call);
  }

  async teardown(live: LiveKernel, call: Call): Promise<void> {
    this.statistics.conclude(live);
    live.usage?.[Symbol.dispose]();
    live.usage = undefined;
    const id = live.kernel.containerId;
    if (id === null) return;
    try {
      await this.engine.stopContainer(id, this.settings.timeouts.stopGraceMs, call);
    } catch (error) {
      // What does not stop is killed by its removal, the stage that comes next.
      this.logger.warn(`the container did not stop: ${messageOf(error)}`, { kernel_id: live.kernel.id });
    }
    await this.logs.keep(live);
  }

  async adopt(live: LiveKernel, call: Call): Promise<void> {
    const id = live.kernel.containerId ?? '';
    const details = await this.postMortem.mustLive(id, call);
    live.usage?.[Symbol.dispose]();
    live.usage = this.usage.open({ id, pid: details.pid, cgroupParent: details.cgroupParent });
    this.statistics.begin(live);
  }
}
