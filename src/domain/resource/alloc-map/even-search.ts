import { byRemaining, type Candidate, remaining, sign, totalRemaining } from './candidate.js';

export interface EvenPlacement {
  readonly shares: ReadonlyMap<string, bigint>;
  /** 0 = all shares are equal, else negative. */
  readonly evenness: bigint;
  readonly fragments: number;
}

/** In the unit of the search; a leftover above `floor` and below `minimum` is a fragment that nobody can use. */
export interface FragmentRule {
  readonly floor: bigint;
  readonly minimum: bigint;
}

/** Positive if `a` is the better placement: more even, on fewer devices, with fewer fragments (lifecycle.md §6.4). */
export function compareEven(a: EvenPlacement, b: EvenPlacement): number {
  return sign(a.evenness - b.evenness) || b.shares.size - a.shares.size || b.fragments - a.fragments;
}

/**
 * Finds the most even placement of a fractional request by sliding windows of growing size over the devices, most remaining
 * capacity first, and filling each window completely (26.9.6). `undefined` if the devices do not have enough together.
 */
export function searchEven(
  devices: readonly Candidate[],
  request: bigint,
  rule: FragmentRule,
): EvenPlacement | undefined {
  const usable = byRemaining(devices.filter((device) => remaining(device) > 0n && remaining(device) >= rule.minimum));
  if (usable.length === 0 || totalRemaining(usable) < request) return undefined;
  let smallest = 1;
  while (totalRemaining(usable.slice(0, smallest)) < request) smallest += 1;
  let best: EvenPlacement | undefined;
  for (let size = smallest; size <= usable.length; size += 1) {
    const found = bestOfSize(usable, size, request, rule);
    if (found && (!best || compareEven(found, best) >= 0)) best = found;
  }
  return best;
}

function bestOfSize(
  usable: readonly Candidate[],
  size: number,
  request: bigint,
  rule: FragmentRule,
): EvenPlacement | undefined {
  let first: EvenPlacement | undefined;
  let best: EvenPlacement | undefined;
  for (let start = 0; start + size <= usable.length; start += 1) {
    const window = usable.slice(start, start + size);
    if (totalRemaining(window) < request) break;
    const placement = fillWindow(window, request, rule);
    first ??= placement;
    if (placement.evenness < first.evenness) break;
    if (!best || placement.shares.size <= best.shares.size) best = placement;
  }
  return best;
}

/** Water-filling: a device that can't hold an equal share gives all it has; the others share the rest equally. */
function fillWindow(window: readonly Candidate[], request: bigint, rule: FragmentRule): EvenPlacement {
  const shares = new Map<string, bigint>();
  const pool = [...window];
  let rest = request;
  for (let least = pool.at(-1); least && remaining(least) * BigInt(pool.length) < rest; least = pool.at(-1)) {
    shares.set(least.deviceId, remaining(least));
    rest -= remaining(least);
    pool.pop();
  }
  pool.forEach((device, index) => {
    const count = BigInt(pool.length);
    const share = rest / count + (BigInt(index) < rest % count ? 1n : 0n);
    if (share > 0n) shares.set(device.deviceId, share);
  });
  const amounts = [...shares.values()].sort((a, b) => sign(a - b));
  const fragments = window.filter((device) => {
    const left = device.capacity - (shares.get(device.deviceId) ?? 0n);
    return shares.has(device.deviceId) && left > rule.floor && left < rule.minimum;
  });
  return { shares, evenness: (amounts[0] ?? 0n) - (amounts.at(-1) ?? 0n), fragments: fragments.length };
}
