import { configurationInvalid, invalidResourceArgument, resourceError } from '../error/errors.js';
import type { KernelId } from '../kernel/kernel-id.js';
import { AllocMap } from './alloc-map/alloc-map.js';
import { Amount } from './amount.js';
import type { AffinityPolicy, Allocation, ComputeDevice, DeviceAllocation, DeviceSharing, SlotType } from './device.js';
import { capacities } from './reservation.js';
import { deviceNameOf } from './resource-spec.js';

/** One kind of device as its plug-in found it. */
export interface DeviceSupply {
  readonly deviceName: string;
  readonly slotTypes: Readonly<Record<string, SlotType>>;
  readonly sharing: DeviceSharing;
  readonly devices: readonly ComputeDevice[];
}

export interface ResourceBookOptions {
  readonly supplies: readonly DeviceSupply[];
  /** Slot → decimal text of what kernels never get. */
  readonly reserved: Readonly<Record<string, string>>;
  /** Memory is given out in whole multiples of this in all. */
  readonly memoryAlignBytes: number;
  /** Device names whose devices are chosen first; others follow in the order of `supplies`. */
  readonly allocationOrder: readonly string[];
  readonly affinityPolicy: AffinityPolicy;
}

export interface AllocateOptions {
  /** False = a fractional request must fit on as few devices as its size needs. */
  readonly allowFractionalFragmentation?: boolean;
}

/**
 * Who has which device: the one book of a node's slots. Kept by kernel id, so that giving back happens once, whoever does
 * it how often; synchronous, so that two requests never see the same free device (lifecycle.md §11.1 row 1).
 */
export class ResourceBook {
  readonly #maps: ReadonlyMap<string, AllocMap>;
  readonly #slotTypes: Readonly<Record<string, SlotType>>;
  readonly #policy: AffinityPolicy;
  readonly #kernels = new Map<KernelId, Allocation>();

  /** Throws ConfigurationError if more is reserved than there is, or a slot is not named after its device name. */
  constructor(options: ResourceBookOptions) {
    const supplies = inAllocationOrder(options.supplies, options.allocationOrder);
    checkNames(supplies);
    const given = capacities(supplies, options.reserved, options.memoryAlignBytes);
    this.#policy = options.affinityPolicy;
    this.#slotTypes = Object.fromEntries(supplies.flatMap(({ slotTypes }) => Object.entries(slotTypes)));
    this.#maps = new Map(
      supplies.map(({ deviceName, devices, sharing, slotTypes }) => [
        deviceName,
        new AllocMap(deviceName, devices, sharing, slotTypes, (device) => given.get(device) ?? Amount.ZERO),
      ]),
    );
  }

  /**
   * Chooses and books devices for a kernel: all or nothing. `slots` is decimal text by slot as `normaliseSlots` gives it.
   * Throws InsufficientResource, NotMultipleOfQuantum or FractionalResourceFragmented, and ResourceError if the kernel has
   * an allocation already.
   */
  allocate(kernelId: KernelId, slots: Readonly<Record<string, string>>, options: AllocateOptions = {}): Allocation {
    if (this.#kernels.has(kernelId)) throw resourceError(`kernel ${kernelId} has its devices already`);
    const allocation: Record<string, DeviceAllocation> = {};
    let chosenNodes: (number | null)[] = [];
    for (const map of this.#maps.values()) {
      const chosen: Record<string, Readonly<Record<string, string>>> = {};
      for (const [slotName, text] of Object.entries(slots)) {
        if (deviceNameOf(slotName) !== map.deviceName || this.#slotTypes[slotName] === 'unified') continue;
        const requested = Amount.parse(text, `resource_slots.${slotName}`);
        if (!requested.isPositive) continue;
        const allowFragmentation = options.allowFractionalFragmentation ?? true;
        chosen[slotName] = map.choose(slotName, requested, { chosenNodes, policy: this.#policy, allowFragmentation });
      }
      if (Object.keys(chosen).length > 0) allocation[map.deviceName] = chosen;
      // Devices of the next name are looked for near these; where nothing was asked, the next one chooses freely.
      chosenNodes = nodesOf(map, chosen);
    }
    this.#book(kernelId, allocation);
    return allocation;
  }

  /**
   * Books what a kernel that outlived the agent holds, whatever this machine looks like now. Devices that are gone or that
   * two kernels claim are returned as sentences: both kernels live, and what they use is given to nobody else.
   * Throws InvalidResourceArgument, changing nothing, for what is no allocation at all.
   */
  restore(kernelId: KernelId, allocation: Allocation): readonly string[] {
    checkAmounts(allocation);
    this.release(kernelId);
    return this.#book(kernelId, allocation);
  }

  /** Gives back all that a kernel has; a kernel without anything is a success. */
  release(kernelId: KernelId): void {
    const allocation = this.#kernels.get(kernelId);
    if (!allocation) return;
    this.#kernels.delete(kernelId);
    for (const [deviceName, shares] of Object.entries(allocation)) this.#maps.get(deviceName)?.free(shares);
  }

  allocationOf(kernelId: KernelId): Allocation | undefined {
    return this.#kernels.get(kernelId);
  }

  /** The devices that a kernel has a share of, as far as they exist, in allocation order. */
  devicesOf(kernelId: KernelId): readonly ComputeDevice[] {
    return Object.entries(this.#kernels.get(kernelId) ?? {}).flatMap(([deviceName, slots]) =>
      Object.values(slots).flatMap((shares) =>
        Object.keys(shares).flatMap((id) => this.#maps.get(deviceName)?.device(id) ?? []),
      ),
    );
  }

  /** Slot → decimal text of all that can be given out: what there is less what is reserved (lifecycle.md §6.6). */
  totals(): Record<string, string> {
    return this.#perSlot((map, slotName) => map.total(slotName));
  }

  occupied(): Record<string, string> {
    return this.#perSlot((map, slotName) => map.occupied(slotName));
  }

  available(): Record<string, string> {
    return this.#perSlot((map, slotName) => map.available(slotName));
  }

  #book(kernelId: KernelId, allocation: Allocation): readonly string[] {
    const problems: string[] = [];
    const booked: Record<string, DeviceAllocation> = {};
    for (const [deviceName, shares] of Object.entries(allocation)) {
      const map = this.#maps.get(deviceName);
      if (map) problems.push(...map.apply(shares));
      else problems.push(`${deviceName}: there are no such devices here`);
      booked[deviceName] = shares;
    }
    this.#kernels.set(kernelId, booked);
    return problems;
  }

  #perSlot(read: (map: AllocMap, slotName: string) => Amount): Record<string, string> {
    const result: Record<string, string> = {};
    for (const [slotName, type] of Object.entries(this.#slotTypes)) {
      const map = this.#maps.get(deviceNameOf(slotName));
      if (map && type !== 'unified') result[slotName] = read(map, slotName).toString();
    }
    return result;
  }
}

function checkAmounts(allocation: Allocation): void {
  for (const slots of Object.values(allocation)) {
    for (const [slotName, shares] of Object.entries(slots)) {
      for (const text of Object.values(shares)) {
        if (Amount.parse(text, slotName).isNegative) {
          throw invalidResourceArgument(`${slotName}: a kernel can't hold ${text}`, { field: slotName });
        }
      }
    }
  }
}

function nodesOf(map: AllocMap, chosen: DeviceAllocation): (number | null)[] {
  const ids = Object.values(chosen).flatMap((shares) => Object.keys(shares));
  return [...new Set(ids.flatMap((id) => map.device(id) ?? []).map((device) => device.numaNode))];
}

/** The reference fails every creation when a device name is not in the configured order; here it comes last. */
function inAllocationOrder(supplies: readonly DeviceSupply[], order: readonly string[]): DeviceSupply[] {
  const rank = ({ deviceName }: DeviceSupply): number => {
    const index = order.indexOf(deviceName);
    return index < 0 ? order.length : index;
  };
  return [...supplies].sort((a, b) => rank(a) - rank(b));
}

function checkNames(supplies: readonly DeviceSupply[]): void {
  const seen = new Set<string>();
  for (const { deviceName, slotTypes } of supplies) {
    if (seen.has(deviceName)) throw configurationInvalid(`two accelerator plug-ins are called '${deviceName}'`);
    seen.add(deviceName);
    for (const slotName of Object.keys(slotTypes)) {
      if (slotName !== deviceName && !slotName.startsWith(`${deviceName}.`)) {
        throw configurationInvalid(`slot '${slotName}' of plug-in '${deviceName}' must begin with '${deviceName}.'`);
      }
    }
  }
}
