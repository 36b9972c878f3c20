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
