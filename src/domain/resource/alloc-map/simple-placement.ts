import { type Candidate, type Placement, remaining, smaller, totalRemaining } from './candidate.js';

/** Takes all that each device has left, in order, until the request is met; `undefined` if it can't be. */
export function fill(devices: readonly Candidate[], request: bigint): Placement | undefined {
  if (totalRemaining(devices) < request) return undefined;
  const placement = new Map<string, bigint>();
  let rest = request;
  for (const device of devices) {
    const share = smaller(rest, remaining(device));
    if (share > 0n) placement.set(device.deviceId, share);
    rest -= share;
  }
  return placement;
}

/**
 * Splits a whole number over as many devices as possible (the discrete map's EVENLY): equal shares, the remainder one each
 * to the first; what a full device can't take goes round again. `undefined` if there is not enough.
 */
export function spread(devices: readonly Candidate[], request: bigint): Placement | undefined {
  if (totalRemaining(devices) < request) return undefined;
  const placement = new Map<string, bigint>();
  const room = (device: Candidate): bigint => remaining(device) - (placement.get(device.deviceId) ?? 0n);
  let rest = request;
  while (rest > 0n) {
    // Each round either ends or fills a device, so there are no more rounds than devices.
    const open = devices.filter((device) => room(device) > 0n);
    const count = BigInt(open.length);
    const quotient = rest / count;
    let extra = rest % count;
    for (const device of open) {
      const share = smaller(quotient + (extra > 0n ? 1n : 0n), room(device));
      if (extra > 0n) extra -= 1n;
      if (share > 0n) placement.set(device.deviceId, (placement.get(device.deviceId) ?? 0n) + share);
      rest -= share;
    }
  }
  return placement;
}
