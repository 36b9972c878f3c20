/** A device as the placement rules see it. All amounts are whole numbers of the quantum of its device name. */
export interface Candidate {
  readonly deviceId: string;
  readonly numaNode: number | null;
  readonly capacity: bigint;
  /** Given out already; may exceed the capacity when what was restored at start does not fit any more. */
  readonly used: bigint;
}

/** Device id → quanta; only positive entries, in the order in which devices were chosen. */
export type Placement = ReadonlyMap<string, bigint>;

export function remaining(device: Candidate): bigint {
  return device.used >= device.capacity ? 0n : device.capacity - device.used;
}

export function totalRemaining(devices: readonly Candidate[]): bigint {
  return devices.reduce((total, device) => total + remaining(device), 0n);
}

/** Most remaining capacity first; equal ones keep their order. */
export function byRemaining(devices: readonly Candidate[]): Candidate[] {
  return [...devices].sort((a, b) => sign(remaining(b) - remaining(a)));
}

export function sign(value: bigint): number {
  if (value === 0n) return 0;
  return value < 0n ? -1 : 1;
}

export function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
