import { inject, injectable } from 'inversify';
import type { CreationInfo, UsedDeviceUnit } from '../../domain/event/agent-event.js';
import type { Kernel } from '../../domain/kernel/kernel.js';
import { publicServices } from '../../domain/service-port/plan-service-ports.js';
import { toPublic } from '../../domain/service-port/service-port.js';
import { AgentSettings } from '../agent-settings.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { ScratchStore } from '../ports/scratch-store.port.js';
import type { CreatedKernel } from '../use-cases.js';
import { attachedDevices } from './device-kinds.js';
import type { LiveKernel } from './live-kernel.js';

/** Tells what was made: as the result of creating a kernel and as `creation_info` of `kernel_started`. */
@injectable()
export class CreationReport {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(EventBus) private readonly events: EventBus,
    @inject(ScratchStore) private readonly scratch: ScratchStore,
  ) {}

  of(live: LiveKernel): CreatedKernel {
    const { kernel } = live;
    const paths = this.scratch.paths(kernel.id);
    return {
      kernelId: kernel.id,
      sessionId: kernel.sessionId,
      containerId: kernel.containerId ?? '',
      kernelHost: this.settings.container.advertisedHost,
      replInPort: kernel.replInPort,
      replOutPort: kernel.replOutPort,
      servicePorts: publicServices(kernel.servicePorts),
      allocation: kernel.allocation,
      slots: kernel.slots,
      attachedDevices: attachedDevices(this.plugins, kernel.allocation),
      mounts: [
        { source: paths.config, target: '/home/config', permission: 'ro' },
        { source: paths.work, target: '/home/work', permission: 'rw' },
        ...kernel.spec.mounts.map((mount) => ({
          source: mount.hostPath,
          target: mount.kernelPath,
          permission: mount.permission,
        })),
      ],
      agentAddr: kernel.spec.agentAddr,
      scalingGroup: kernel.spec.scalingGroup,
      timingsMs: { ...live.timingsMs },
      created: true,
    };
  }

  async announceStarted(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    await this.events.announce({
      name: 'kernel_started',
      body: {
        kernel_id: kernel.id,
        session_id: kernel.sessionId,
        reason: '',
        creation_info: this.#creationInfo(kernel),
      },
    });
  }

  #creationInfo(kernel: Kernel): CreationInfo {
    return {
      container_id: kernel.containerId ?? '',
      kernel_host: this.settings.container.advertisedHost,
      repl_in_port: kernel.replInPort,
      repl_out_port: kernel.replOutPort,
      service_ports: publicServices(kernel.servicePorts).map(toPublic),
      used_devices: { units: this.#usedDevices(kernel) },
    };
  }

  /** The allocation transposed from slot → unit to unit → slot, with what is known of each unit (state.md §2.6). */
  #usedDevices(kernel: Kernel): CreationInfo['used_devices']['units'] {
    const attached = attachedDevices(this.plugins, kernel.allocation);
    const units: Record<string, Record<string, UsedDeviceUnit>> = {};
    for (const [deviceName, allocation] of Object.entries(kernel.allocation)) {
      const used: Record<string, Record<string, string>> = {};
      for (const [slot, devices] of Object.entries(allocation)) {
        for (const [deviceId, amount] of Object.entries(devices)) (used[deviceId] ??= {})[slot] = amount;
      }
      units[deviceName] = Object.fromEntries(
        Object.entries(used).map(([deviceId, slots]) => {
          const facts = attached[deviceName]?.find((device) => device.deviceId === deviceId);
          return [
            deviceId,
            {
              model_name: facts?.modelName ?? null,
              used: slots,
              processing_units: facts?.processingUnits ?? null,
              memory_size: facts?.memoryBytes ?? null,
            },
          ];
        }),
      );
    }
    return units;
  }
}
