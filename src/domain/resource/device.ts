/** How amounts of a slot behave (lifecycle.md §6.1). */
export type SlotType = 'count' | 'bytes' | 'unique' | 'unified';

/** A unit that supplies one slot of a device name. */
export interface ComputeDevice {
  readonly deviceId: string;
  /** The plug-in's key: `cpu`, `mem`, `cuda`. */
  readonly deviceName: string;
  readonly slotName: string;
  /** Capacity as exact decimal text. */
  readonly amount: string;
  /** `null` = unknown; all unknown ones count as one node. */
  readonly numaNode: number | null;
  readonly modelName: string;
  readonly hwLocation: string;
  readonly memoryBytes: number;
  readonly processingUnits: number;
}

/** Slot → device id → exact decimal text: what one kernel has of one device name. Only positive amounts. */
export type DeviceAllocation = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Device name → its allocation, in allocation order. */
export type Allocation = Readonly<Record<string, DeviceAllocation>>;

/**
 * How requests are placed on the devices of one device name (lifecycle.md §6.4). `discrete` gives out whole numbers,
 * `fraction` multiples of `quantum`. FILL empties one device after the other, EVENLY spreads.
 */
export type DeviceSharing =
  | { readonly kind: 'discrete'; readonly strategy: PlacementStrategy }
  | {
      readonly kind: 'fraction';
      readonly strategy: PlacementStrategy;
      /** Smallest share as decimal text, `0.01` or `0.1`. */
      readonly quantum: string;
      /** A device with less than this left is not used; decimal text, `0.01` without a reason for more. */
      readonly minimum: string;
    };

export type PlacementStrategy = 'FILL' | 'EVENLY';

/** INTERLEAVED takes devices of each NUMA node in turn, PREFER_SINGLE_NODE one node after the other. */
export type AffinityPolicy = 'INTERLEAVED' | 'PREFER_SINGLE_NODE';
