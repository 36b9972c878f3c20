import type { Allocation, SlotType } from '../../domain/resource/device.js';
import type { AcceleratorPlugins, AttachedDevice } from '../ports/accelerator-plugin.port.js';

/** Slot → type for every slot that the plug-ins of this node supply. */
export function slotTypesOf(plugins: AcceleratorPlugins): Readonly<Record<string, SlotType>> {
  const slotTypes: Record<string, SlotType> = {};
  for (const plugin of plugins) Object.assign(slotTypes, plugin.slotTypes);
  return slotTypes;
}

/** Device name → facts of the devices in an allocation, in the order of the plug-ins. */
export function attachedDevices(
  plugins: AcceleratorPlugins,
  allocation: Allocation,
): Readonly<Record<string, readonly AttachedDevice[]>> {
  const attached: Record<string, readonly AttachedDevice[]> = {};
  for (const plugin of plugins) {
    const share = allocation[plugin.key];
    if (share) attached[plugin.key] = plugin.attached(share);
  }
  return attached;
}
