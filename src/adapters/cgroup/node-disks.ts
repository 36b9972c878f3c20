import { statfsSync } from 'node:fs';

/** How file systems are measured; replaced where there are none to measure. */
export type MeasureDisk = (path: string) => { readonly totalBytes: number; readonly usedBytes: number } | undefined;

export interface DiskMount {
  readonly device: string;
  readonly path: string;
}

const skippedTypes = new Set(['vfat', 'lxcfs', 'squashfs', 'tmpfs', 'iso9660']);
const skippedPaths = /^\/proc\/docker\/runtime-runc\/moby\/|\/var\/lib\/(docker|containers)(\/|$)/;

/**
 * Mount points of the disks of a node, one a device (stats.md §2.6): file systems that need a device, and zfs, without
 * those that the container engine makes.
 *
 * @param mounts the text of `/proc/self/mounts`
 * @param fileSystems the text of `/proc/filesystems`
 */
export function diskMounts(mounts: string, fileSystems: string): readonly DiskMount[] {
  const types = new Set(['zfs']);
  for (const line of fileSystems.split('\n')) if (line.startsWith('\t')) types.add(line.trim());
  const byDevice = new Map<string, string>();
  for (const line of mounts.split('\n')) {
    const [device, path, type] = line.split(' ');
    if (device === undefined || path === undefined || type === undefined) continue;
    const mountPoint = unescape(path);
    if (!types.has(type) || skippedTypes.has(type) || skippedPaths.test(mountPoint)) continue;
    if (!byDevice.has(device)) byDevice.set(device, mountPoint);
  }
  return [...byDevice].map(([device, path]) => ({ device, path }));
}

/** As `df` counts: what is reserved for root is neither used nor free, but part of the total. */
export function measureDisk(path: string): { totalBytes: number; usedBytes: number } | undefined {
  try {
    const { bsize, blocks, bfree } = statfsSync(path);
    return { totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize };
  } catch {
    return undefined;
  }
}

/** The kernel writes blanks in paths as `\040`. */
function unescape(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
