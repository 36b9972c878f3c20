import { readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readOnce } from './kept-file.js';

export interface DeviceBytes {
  /** `major:minor`. */
  readonly device: string;
  readonly read: number;
  readonly written: number;
}

/** `253:0 Read 4096` lines of v1's `blkio.throttle.io_service_bytes`. */
export function parseBlkio(text: string): DeviceBytes[] {
  const devices = new Map<string, { read: number; written: number }>();
  for (const line of text.split('\n')) {
    const [, device = '', operation, bytes] = /^(\d+:\d+) (Read|Write) (\d+)/.exec(line) ?? [];
    if (operation === undefined) continue;
    const entry = devices.get(device) ?? { read: 0, written: 0 };
    entry[operation === 'Read' ? 'read' : 'written'] += Number(bytes);
    devices.set(device, entry);
  }
  return [...devices].map(([device, bytes]) => ({ device, ...bytes }));
}

/** `253:0 rbytes=4096 wbytes=0 …` lines of v2's `io.stat`. */
export function parseIoStat(text: string): DeviceBytes[] {
  const found: DeviceBytes[] = [];
  for (const line of text.split('\n')) {
    const device = /^\d+:\d+/.exec(line)?.[0];
    if (device === undefined) continue;
    const read = Number(/\brbytes=(\d+)/.exec(line)?.[1] ?? 0);
    const written = Number(/\bwbytes=(\d+)/.exec(line)?.[1] ?? 0);
    found.push({ device, read, written });
  }
  return found;
}

/**
 * Which block devices stand on which others. The kernel counts a byte at each layer it passes (a logical volume, then
 * its disk), so only devices on which no other counted device stands are summed up.
 */
export class BlockDevices {
  /** Device → whole disks and volumes below it, at any depth. */
  readonly #below = new Map<string, ReadonlySet<string>>();

  constructor(private readonly sysRoot: string) {}

  sum(devices: readonly DeviceBytes[]): { read: number; written: number } {
    const hidden = new Set<string>();
    if (devices.length > 1) {
      for (const { device } of devices) for (const lower of this.#layersBelow(device)) hidden.add(lower);
    }
    let read = 0;
    let written = 0;
    for (const device of devices) {
      if (hidden.has(device.device)) continue;
      read += device.read;
      written += device.written;
    }
    return { read, written };
  }

  #layersBelow(device: string): ReadonlySet<string> {
    const known = this.#below.get(device);
    if (known) return known;
    const below = new Set<string>();
    // Set before going down: a loop in a broken tree must end.
    this.#below.set(device, below);
    for (const lower of this.#directlyBelow(device)) {
      if (lower === device) continue;
      below.add(lower);
      for (const deeper of this.#layersBelow(lower)) below.add(deeper);
    }
    return below;
  }

  #directlyBelow(device: string): string[] {
    const folder = join(this.sysRoot, 'dev/block', device);
    const lower: string[] = [];
    try {
      for (const slave of readdirSync(join(folder, 'slaves'))) {
        const number = readOnce(join(folder, 'slaves', slave, 'dev'))?.trim();
        if (number) lower.push(number);
      }
    } catch {
      // No such folder: a partition, or a device that is gone.
    }
    if (readOnce(join(folder, 'partition')) !== undefined) {
      const disk = readOnce(join(dirname(realpathSync(folder)), 'dev'))?.trim();
      if (disk) lower.push(disk);
    }
    return lower;
  }
}
