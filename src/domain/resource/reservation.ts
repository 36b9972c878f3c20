import { configurationInvalid } from '../error/errors.js';
import { Amount, maxAmount } from './amount.js';
import type { ComputeDevice, SlotType } from './device.js';

interface Supply {
  readonly slotTypes: Readonly<Record<string, SlotType>>;
  readonly devices: readonly ComputeDevice[];
}

/**
 * What of each device may be given out (lifecycle.md §6.6). Reserved amounts are taken from the devices with the lowest
 * numbers: core 0 is where the kernel of the operating system serves most interrupts, so that is the core to keep for it.
 * The reference only *reports* less and gives reserved cores to kernels all the same.
 *
 * What remains of memory is rounded down to `memoryAlignBytes`; the reference can round up beyond what there is.
 * Throws ConfigurationError if a reservation leaves nothing.
 */
export function capacities(
  supplies: readonly Supply[],
  reserved: Readonly<Record<string, string>>,
  memoryAlignBytes: number,
): ReadonlyMap<ComputeDevice, Amount> {
  const result = new Map<ComputeDevice, Amount>();
  for (const { slotTypes, devices } of supplies) {
    for (const slotName of Object.keys(slotTypes)) {
      const suppliers = devices.filter((device) => device.slotName === slotName);
      reserve(slotName, suppliers, Amount.parse(reserved[slotName] ?? '0', `reserved ${slotName}`), result);
    }
  }
  for (const [device, amount] of result) {
    if (device.slotName === 'mem' && memoryAlignBytes > 0)
      result.set(device, amount.floorTo(Amount.of(memoryAlignBytes)));
  }
  return result;
}

function reserve(
  slotName: string,
  devices: readonly ComputeDevice[],
  reserved: Amount,
  result: Map<ComputeDevice, Amount>,
): void {
  const amounts = new Map(devices.map((device) => [device, Amount.parse(device.amount, device.deviceId)]));
  const total = Amount.sum(amounts.values());
  if (reserved.isPositive && reserved.compare(total) >= 0) {
    throw configurationInvalid(
      `${reserved.toString()} of ${slotName} is reserved, this machine has ${total.toString()}`,
      {
        field: `resource.reserved-${slotName}`,
        allowed: `less than ${total.toString()}`,
      },
    );
  }
  let rest = reserved;
  const lowestFirst = [...devices].sort((a, b) => a.deviceId.localeCompare(b.deviceId, 'en', { numeric: true }));
  for (const device of lowestFirst) {
    const amount = amounts.get(device) ?? Amount.ZERO;
    const left = maxAmount(amount.minus(rest), Amount.ZERO);
    rest = rest.minus(amount.minus(left));
    result.set(device, left);
  }
}
