import { inject, injectable } from 'inversify';
import { AgentSettings } from '../agent-settings.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { AcceleratorPlugins, type SlotMetadata } from '../ports/accelerator-plugin.port.js';
import { StateStore } from '../ports/state-store.port.js';

const DAY_SECONDS = 86_400;

/** The small facts about this agent that Managers and other agents look up (state.md §1.4). Rejects if the store is away. */
@injectable()
export class PublishAgentFacts {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(StateStore) private readonly state: StateStore,
  ) {}

  /** How amounts of this node's slots are shown. Others write into the same hash; nobody removes from it. */
  async slotMetadata(): Promise<void> {
    const fields = Object.fromEntries(this.plugins.map(({ metadata }) => [metadata.slotName, metadataText(metadata)]));
    await this.state.setHash('statistics', 'computer.metadata', fields);
  }

  /** Containers that exist for this agent's own kernels. */
  async containerCount(): Promise<void> {
    const count = this.registry.all().filter(({ kernel }) => kernel.containerId !== null).length;
    await this.state.set('statistics', `container_count.${this.settings.agentId}`, String(count), DAY_SECONDS);
  }

  /** Keeps the index of background tasks that other components may have filled (state.md §6). */
  async taskIndex(): Promise<void> {
    await this.state.expire('bgtask', `bgtask:server:${this.settings.agentId}`, DAY_SECONDS);
  }
}

function metadataText(metadata: SlotMetadata): string {
  return JSON.stringify({
    slot_name: metadata.slotName,
    description: metadata.description,
    human_readable_name: metadata.humanReadableName,
    display_unit: metadata.displayUnit,
    number_format: { binary: metadata.numberFormat.binary, round_length: metadata.numberFormat.roundLength },
    display_icon: metadata.displayIcon,
  });
}
