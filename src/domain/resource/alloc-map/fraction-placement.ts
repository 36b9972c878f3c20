import { byRemaining, type Candidate, type Placement, remaining } from './candidate.js';
import type { CandidateOrder } from './candidate-order.js';
import { compareEven, type EvenPlacement, type FragmentRule, searchEven } from './even-search.js';

/** The even search works in hundredths, finer than most quanta: what is even must not depend on how it is rounded. */
export interface FractionGrain {
  /** How many search units one quantum is; 10 for a quantum of 0.1. */
  readonly unitsPerQuantum: bigint;
  /** In search units. */
  readonly rule: FragmentRule;
}

/**
 * Places a fractional request evenly (26.9.6): on the one device that fits it best, else by the most even search among
 * each NUMA node and all devices together; a single node wins ties. Amounts are quanta; `undefined` = not enough.
 *
 * The reference floors the shares found to the quantum and so grants 1.4 of 1.5; here the missing quanta are put where
 * there is room on the same devices, so exactly what was asked is given.
 */
export function placeEvenly(order: CandidateOrder, request: bigint, grain: FractionGrain): Placement | undefined {
  const fine = order.devices.map((device) => refine(device, grain));
  const usable = byRemaining(
    fine.filter((device) => remaining(device) > 0n && remaining(device) >= grain.rule.minimum),
  );
  const wanted = request * grain.unitsPerQuantum;
  const single = usable.filter((device) => remaining(device) >= wanted).at(-1);
  if (single) return new Map([[single.deviceId, request]]);
  const lists = [...order.clusters.map((cluster) => cluster.map((device) => refine(device, grain))), fine];
  let best: EvenPlacement | undefined;
  for (const list of lists) {
    const found = searchEven(list, wanted, grain.rule);
    // Earlier lists are preferred, so a later one must be better.
    if (found && (!best || compareEven(found, best) > 0)) best = found;
  }
  return best && toQuanta(best, usable, request, grain);
}

function refine(device: Candidate, { unitsPerQuantum }: FractionGrain): Candidate {
  return { ...device, capacity: device.capacity * unitsPerQuantum, used: device.used * unitsPerQuantum };
}

function toQuanta(
  found: EvenPlacement,
  usable: readonly Candidate[],
  request: bigint,
  { unitsPerQuantum }: FractionGrain,
): Placement {
  const chosen = usable.filter((device) => found.shares.has(device.deviceId));
  const shares = new Map<string, bigint>();
  let rest = request;
  for (const device of chosen) {
    const share = (found.shares.get(device.deviceId) ?? 0n) / unitsPerQuantum;
    shares.set(device.deviceId, share);
    rest -= share;
  }
  // Flooring took less than one quantum of each device, and every device's capacity is a whole number of quanta.
  for (const device of chosen) {
    const share = shares.get(device.deviceId) ?? 0n;
    const extra = rest > 0n && share < remaining(device) / unitsPerQuantum ? 1n : 0n;
    rest -= extra;
    if (share + extra > 0n) shares.set(device.deviceId, share + extra);
    else shares.delete(device.deviceId);
  }
  return shares;
}

/**
 * Places a request without fragmenting it: on one device if one could hold it, else in equal shares (a quantum apart at
 * most) on as few as possible, within one NUMA node before across. `undefined` = impossible.
 *
 * The reference makes the same check and then allocates by another rule, which may choose differently.
 */
export function placeUnfragmented(order: CandidateOrder, request: bigint): Placement | undefined {
  const largest = order.devices.reduce((most, device) => (device.capacity > most ? device.capacity : most), 0n);
  if (largest === 0n) return undefined;
  const fewest = (request + largest - 1n) / largest;
  const most = fewest === 1n ? 1n : BigInt(order.devices.length);
  for (let count = fewest; count <= most; count += 1n) {
    for (const list of [...order.clusters, order.devices]) {
      const placement = equalShares(list, request, count);
      if (placement) return placement;
    }
  }
  return undefined;
}

function equalShares(devices: readonly Candidate[], request: bigint, count: bigint): Placement | undefined {
  const share = request / count;
  const extra = request % count;
  // The fullest devices that still hold a share are taken, so that large holes stay for large requests.
  const fitting = byRemaining(devices.filter((device) => remaining(device) >= share)).reverse();
  const larger = fitting.filter((device) => remaining(device) > share).slice(0, Number(extra));
  const equal = fitting.filter((device) => !larger.includes(device)).slice(0, Number(count - extra));
  if (BigInt(larger.length) < extra || BigInt(equal.length) < count - extra) return undefined;
  const placement = new Map<string, bigint>();
  for (const device of larger) placement.set(device.deviceId, share + 1n);
  for (const device of equal) if (share > 0n) placement.set(device.deviceId, share);
  return placement;
}
