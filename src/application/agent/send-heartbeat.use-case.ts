import { inject, injectable } from 'inversify';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { AgentSettings } from '../agent-settings.js';
import { slotTypesOf } from '../kernel/device-kinds.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import { NodeResourceGroup } from './node-resource-group.js';

/** Tells that this agent lives and what it has in all (lifecycle.md §6.9, state.md §3.1). */
@injectable()
export class SendHeartbeat {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(ResourceBook) private readonly book: ResourceBook,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Clock) private readonly clock: Clock,
    @inject(NodeResourceGroup) private readonly resourceGroup: NodeResourceGroup,
  ) {}

  async execute(): Promise<void> {
    const { settings } = this;
    await this.events.announce({
      name: 'agent_heartbeat',
      body: {
        agent_info: {
          ip: new URL(settings.advertisedRpcAddress).hostname,
          region: settings.region,
          scaling_group: await this.resourceGroup.current(),
          addr: settings.advertisedRpcAddress,
          public_key: settings.rpcPublicKey,
          public_host: settings.publicHost,
          available_resource_slots: Object.entries(this.book.totals()).map(([resource_type, quantity]) => ({
            resource_type,
            quantity,
          })),
          slot_key_and_units: slotTypesOf(this.plugins),
          version: settings.version,
          compute_plugins: Object.fromEntries(this.plugins.map((plugin) => [plugin.key, plugin.describe()])),
          architecture: settings.architecture,
          auto_terminate_abusing_kernel: settings.endsAbusers,
        },
      },
    });
    this.telemetry.gauge('backendai_agent_heartbeat', this.clock.now() / 1000, { agent_id: settings.agentId });
  }
}
