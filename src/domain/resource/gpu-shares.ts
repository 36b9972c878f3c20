import { Amount } from './amount.js';
import type { Allocation } from './device.js';

const DEVICE_NAME = 'cuda';
const DIGITS = 4;

/**
 * How much of each GPU kernels have: amounts over the device's capacity in that slot, summed, as decimal text with four
 * places (rpc.md §6.16). An amount of a device that this node does not know counts as it is and is told to `onUnknown`.
 */
export function gpuShares(
  allocations: readonly Allocation[],
  capacityOf: (slotName: string, deviceId: string) => string | undefined,
  onUnknown: (deviceId: string) => void,
): Record<string, string> {
  const shares = new Map<string, Amount>();
  for (const allocation of allocations) {
    for (const [slotName, amounts] of Object.entries(allocation[DEVICE_NAME] ?? {})) {
      for (const [deviceId, text] of Object.entries(amounts)) {
        const capacity = Amount.parse(capacityOf(slotName, deviceId) ?? '0');
        if (!capacity.isPositive) onUnknown(deviceId);
        const share = Amount.parse(text).dividedBy(capacity.isPositive ? capacity : Amount.ONE);
        shares.set(deviceId, (shares.get(deviceId) ?? Amount.ZERO).plus(share));
      }
    }
  }
  return Object.fromEntries([...shares].map(([deviceId, share]) => [deviceId, share.toFixed(DIGITS)]));
}
