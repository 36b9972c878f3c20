import { inject, injectable } from 'inversify';
import { engineConflict } from '../../../domain/error/errors.js';
import { LABELS } from '../../../domain/kernel/container-labels.js';
import { AgentSettings } from '../../agent-settings.js';
import type { Call } from '../../ports/call.js';
import { ContainerEngine, type ContainerSpec } from '../../ports/container-engine.port.js';
import { ScratchStore } from '../../ports/scratch-store.port.js';
import type { LiveKernel } from '../live-kernel.js';
import { kernelContainerName } from './kernel-composer.js';
import type { Provisioner } from './provisioner.js';

/** The container exists, not started. Its name is made of the kernel id, so it is found again whatever got lost. */
@injectable()
export class ContainerProvisioner implements Provisioner {
  readonly name = 'container';
  readonly onRestart = 'remake';
  readonly takesTurn = true;

  constructor(
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(ScratchStore) private readonly scratch: ScratchStore,
    @inject(AgentSettings) private readonly settings: AgentSettings,
  ) {}

  async setup(live: LiveKernel, call: Call): Promise<void> {
    const { kernel, composition } = live;
    if (!composition) throw new Error('the scratch stage comes before the container stage');
    kernel.containerId = await this.#create(composition.container, call);
    await this.scratch.append(kernel.id, 'config/resource.txt', `CID=${kernel.containerId}\n`);
  }

  async teardown({ kernel }: LiveKernel, call: Call): Promise<void> {
    await this.engine.removeContainer(kernelContainerName(kernel), call);
    if (kernel.containerId !== null) await this.engine.removeContainer(kernel.containerId, call);
    kernel.containerId = null;
  }

  /** A container of that name that is ours is what an attempt without an answer left behind. */
  async #create(spec: ContainerSpec, call: Call): Promise<string> {
    try {
      return await this.engine.createContainer(spec, call);
    } catch (error) {
      if (!(error instanceof Error) || error.name !== engineConflict('').name) throw error;
      const existing = await this.engine.inspectContainer(spec.name, call);
      if (!existing || existing.labels[LABELS.owner] !== this.settings.agentId) throw error;
      await this.engine.removeContainer(existing.id, call);
      return this.engine.createContainer(spec, call);
    }
  }
}
