import { fractionalResourceFragmented, insufficientResource, notMultipleOfQuantum } from '../../error/errors.js';
import { Amount, maxAmount } from '../amount.js';
import { formatBinarySize } from '../binary-size.js';
import type { AffinityPolicy, ComputeDevice, DeviceAllocation, DeviceSharing, SlotType } from '../device.js';
import { type Candidate, type Placement, totalRemaining } from './candidate.js';
import { orderCandidates } from './candidate-order.js';
import { type FractionGrain, placeEvenly, placeUnfragmented } from './fraction-placement.js';
import { fill, spread } from './simple-placement.js';

export interface PlacementOptions {
  /** NUMA nodes of the devices chosen just before for the same request; empty = none were. */
  readonly chosenNodes: readonly (number | null)[];
  readonly policy: AffinityPolicy;
  readonly allowFragmentation: boolean;
}

/** Step of the reference's search, and what it takes for a harmless leftover. */
const HUNDREDTH = Amount.parse('0.01');

/**
 * What the devices of one device name (`cpu`, `mem`, `cuda`) have and have given (lifecycle.md §6.4). A device supplies one
 * slot. All amounts are kept as whole numbers of the quantum, so nothing drifts and nothing is rounded.
 */
export class AllocMap {
  readonly #devices = new Map<string, { readonly device: ComputeDevice; readonly capacity: bigint }>();
  readonly #usedBySlot = new Map<string, bigint>();
  readonly #usedByDevice = new Map<string, bigint>();
  readonly #sharing: DeviceSharing;
  readonly #quantum: Amount;

  /** `capacityOf` is what of a device may be given out: its amount less what is reserved. */
  constructor(
    readonly deviceName: string,
    devices: readonly ComputeDevice[],
    sharing: DeviceSharing,
    private readonly slotTypes: Readonly<Record<string, SlotType>>,
    capacityOf: (device: ComputeDevice) => Amount,
  ) {
    this.#sharing = sharing;
    this.#quantum = sharing.kind === 'discrete' ? Amount.ONE : Amount.parse(sharing.quantum, 'quantum');
    for (const device of devices) {
      const capacity = maxAmount(capacityOf(device), Amount.ZERO).quanta(this.#quantum);
      this.#devices.set(device.deviceId, { device, capacity });
    }
  }

  device(deviceId: string): ComputeDevice | undefined {
    return this.#devices.get(deviceId)?.device;
  }

  /** What can be given out of a slot in all. */
  total(slotName: string): Amount {
    return this.#toAmount(this.#candidates(slotName).reduce((sum, device) => sum + device.capacity, 0n));
  }

  /** What was given out of a slot, also on devices that are gone. */
  occupied(slotName: string): Amount {
    return this.#toAmount(this.#usedBySlot.get(slotName) ?? 0n);
  }

  /** What can still be given out of a slot: `total − occupied`, unless more was restored at start than there is now. */
  available(slotName: string): Amount {
    return this.#toAmount(totalRemaining(this.#candidates(slotName)));
  }

  /** Chooses devices for one slot, changing nothing. Throws InsufficientResource and its like. */
  choose(slotName: string, requested: Amount, options: PlacementOptions): Readonly<Record<string, string>> {
    if (!requested.isMultipleOf(this.#quantum)) throw notAMultiple(slotName, requested, this.#quantum);
    const order = orderCandidates(
      this.#candidates(slotName).filter((device) => device.capacity > 0n),
      options.chosenNodes,
      options.policy,
    );
    const request = requested.quanta(this.#quantum);
    const sharing = this.#sharing;
    let placement: Placement | undefined;
    if (sharing.kind === 'fraction' && !options.allowFragmentation) {
      placement = placeUnfragmented(order, request);
    } else if (sharing.strategy === 'FILL') {
      placement = fill(order.devices, request);
    } else if (sharing.kind === 'fraction') {
      placement = placeEvenly(order, request, grainOf(this.#quantum, Amount.parse(sharing.minimum, 'minimum')));
    } else {
      placement = spread(order.devices, request);
    }
    if (!placement) throw this.#refusal(slotName, requested, options.allowFragmentation);
    return Object.fromEntries([...placement].map(([id, quanta]) => [id, this.#toAmount(quanta).toString()]));
  }

  /** Books an allocation. What it names and this machine lacks is kept in the book and returned as sentences. */
  apply(allocation: DeviceAllocation): readonly string[] {
    const problems: string[] = [];
    this.#add(allocation, 1n);
    for (const [slotName, shares] of Object.entries(allocation)) {
      for (const deviceId of Object.keys(shares)) {
        const known = this.#devices.get(deviceId);
        const used = this.#usedByDevice.get(deviceId) ?? 0n;
        if (known?.device.slotName !== slotName) problems.push(`${slotName}: no device ${deviceId} is here`);
        else if (used > known.capacity) problems.push(`${slotName}: device ${deviceId} is given out more than once`);
      }
    }
    return problems;
  }

  free(allocation: DeviceAllocation): void {
    this.#add(allocation, -1n);
  }

  #add(allocation: DeviceAllocation, direction: bigint): void {
    const changes = Object.entries(allocation).flatMap(([slotName, shares]) =>
      Object.entries(shares).map(([deviceId, text]) => ({ slotName, deviceId, quanta: this.#ceiling(text, slotName) })),
    );
    for (const { slotName, deviceId, quanta } of changes) {
      this.#usedBySlot.set(slotName, (this.#usedBySlot.get(slotName) ?? 0n) + direction * quanta);
      this.#usedByDevice.set(deviceId, (this.#usedByDevice.get(deviceId) ?? 0n) + direction * quanta);
    }
  }

  /** What was written under another quantum counts in full, so that nothing in use is given out. */
  #ceiling(text: string, slotName: string): bigint {
    const amount = Amount.parse(text, slotName);
    return amount.quanta(this.#quantum) + (amount.isMultipleOf(this.#quantum) ? 0n : 1n);
  }

  #candidates(slotName: string): Candidate[] {
    return [...this.#devices.values()]
      .filter(({ device }) => device.slotName === slotName)
      .map(({ device, capacity }) => ({
        deviceId: device.deviceId,
        numaNode: device.numaNode,
        capacity,
        used: this.#usedByDevice.get(device.deviceId) ?? 0n,
      }));
  }

  #toAmount(quanta: bigint): Amount {
    return Amount.of(quanta).times(this.#quantum);
  }

  #show(slotName: string, amount: Amount): string {
    return this.slotTypes[slotName] === 'bytes' ? formatBinarySize(amount.quanta(Amount.ONE)) : amount.toString();
  }

  #refusal(slotName: string, requested: Amount, allowFragmentation: boolean): Error {
    const [wanted, free, total] = [requested, this.available(slotName), this.total(slotName)].map((amount) =>
      this.#show(slotName, amount),
    );
    const enough = this.available(slotName).compare(requested) >= 0;
    const field = `resource_slots.${slotName}`;
    if (!allowFragmentation && this.#sharing.kind === 'fraction' && enough) {
      return fractionalResourceFragmented(
        `${slotName}: ${wanted} requested; ${free} is free, but in pieces too small`,
        { field, allowed: 'an amount that fits on as few devices as its size needs', hint: 'allow fragmentation' },
      );
    }
    return insufficientResource(`${slotName}: ${wanted} requested, ${free} available (${total} in all)`, {
      field,
      allowed: `at most ${free} now`,
      hint: 'ask for less, or destroy kernels that are not needed',
    });
  }
}

function grainOf(quantum: Amount, minimum: Amount): FractionGrain {
  const unitsPerQuantum = maxAmount(Amount.of(quantum.quanta(HUNDREDTH)), Amount.ONE).quanta(Amount.ONE);
  const inUnits = (amount: Amount): bigint => amount.times(Amount.of(unitsPerQuantum)).quanta(quantum);
  return { unitsPerQuantum, rule: { floor: inUnits(HUNDREDTH), minimum: inUnits(minimum) } };
}

function notAMultiple(slotName: string, requested: Amount, quantum: Amount): Error {
  return notMultipleOfQuantum(`${slotName}: ${requested.toString()} is not a multiple of ${quantum.toString()}`, {
    field: `resource_slots.${slotName}`,
    allowed: quantum.equals(Amount.ONE) ? 'a whole number' : `multiples of ${quantum.toString()}`,
    hint: `ask for ${requested.floorTo(quantum).plus(quantum).toString()}`,
  });
}
