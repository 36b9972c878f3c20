import { MIN_MEMORY_BYTES, normaliseSlots } from '../../domain/resource/resource-spec.js';
import type { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { slotTypesOf } from './device-kinds.js';

/** A request's slots by the rules of this node's plug-ins: decimal text for every known slot. */
export function slotsOfRequest(
  requested: Readonly<Record<string, string>>,
  plugins: AcceleratorPlugins,
  imageMinimum: Readonly<Record<string, string>>,
): Record<string, string> {
  const asked = BigInt(imageMinimum['mem'] ?? '0');
  return normaliseSlots(requested, {
    slotTypes: slotTypesOf(plugins),
    exclusiveSlots: plugins.map((plugin) => plugin.exclusiveSlots),
    minMemoryBytes: asked > MIN_MEMORY_BYTES ? asked : MIN_MEMORY_BYTES,
  });
}
