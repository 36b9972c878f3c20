import { join } from 'node:path';
import { parseBlkio, parseIoStat, type BlockDevices } from './block-devices.js';
import type { Controller } from './cgroup-hierarchies.js';
import { keyedValue, singleValue } from './kernel-text.js';
import { KeptFile } from './kept-file.js';

export interface MemoryCounters {
  readonly bytes: number;
  /** `undefined` where the kernel keeps none. */
  readonly peakBytes: number | undefined;
  /** 0 = unlimited. */
  readonly limitBytes: number;
  readonly oomKills: number;
}

/** One controller's kept-open files. Every reader gives `undefined` once the container is gone. */
export interface Counters extends Disposable {
  cpuMs?(): number | undefined;
  memory?(): MemoryCounters | undefined;
  /** `undefined` also where the kernel does not count. */
  io?(): { read: number; written: number } | undefined;
  pids?(): number | undefined;
}

/** v1 says "no limit" with the largest multiple of the page size that fits its counter. */
const V1_UNLIMITED = 2 ** 60;

type Open = (folder: string, devices: BlockDevices) => Counters | undefined;

/**
 * How each controller is read, by version of its hierarchy. `undefined` = the main file is not there.
 * Sources of the rules: stats.md §2.3 and §9.
 */
export const openCounters: Readonly<Record<1 | 2, Readonly<Record<Controller, Open>>>> = {
  1: { cpuacct: cpuV1, memory: memoryV1, blkio: ioV1, pids: processes },
  2: { cpuacct: cpuV2, memory: memoryV2, blkio: ioV2, pids: processes },
};

function cpuV1(folder: string): Counters | undefined {
  return reading(folder, ['cpuacct.usage'], (usage) => ({
    cpuMs: () => scaled(singleValue(usage?.read()), 1e-6),
  }));
}

function cpuV2(folder: string): Counters | undefined {
  return reading(folder, ['cpu.stat'], (stat) => ({
    cpuMs: () => scaled(keyedValue(stat?.read(), 'usage_usec'), 1e-3),
  }));
}

function memoryV1(folder: string): Counters | undefined {
  const names = [
    'memory.usage_in_bytes',
    'memory.stat',
    'memory.limit_in_bytes',
    'memory.max_usage_in_bytes',
    'memory.oom_control',
  ];
  return reading(folder, names, (usage, stat, limit, peak, oom) => ({
    memory: () => {
      const bytes = singleValue(usage?.read());
      if (bytes === undefined) return undefined;
      const limitBytes = singleValue(limit?.read()) ?? 0;
      return {
        bytes: workingSet(bytes, keyedValue(stat?.read(), 'total_inactive_file')),
        peakBytes: singleValue(peak?.read()),
        limitBytes: limitBytes >= V1_UNLIMITED ? 0 : limitBytes,
        oomKills: keyedValue(oom?.read(), 'oom_kill') ?? 0,
      };
    },
  }));
}

function memoryV2(folder: string): Counters | undefined {
  const names = ['memory.current', 'memory.stat', 'memory.max', 'memory.peak', 'memory.events'];
  return reading(folder, names, (current, stat, max, peak, events) => ({
    memory: () => {
      const bytes = singleValue(current?.read());
      if (bytes === undefined) return undefined;
      return {
        bytes: workingSet(bytes, keyedValue(stat?.read(), 'inactive_file')),
        peakBytes: singleValue(peak?.read()),
        limitBytes: singleValue(max?.read()) ?? 0,
        oomKills: keyedValue(events?.read(), 'oom_kill') ?? 0,
      };
    },
  }));
}

function ioV1(folder: string, devices: BlockDevices): Counters | undefined {
  // The recursive file also has what groups made inside the container did.
  const open = (name: string): Counters | undefined =>
    reading(folder, [name], (bytes) => ({
      io: () => {
        const rows = parseBlkio(bytes?.read() ?? '');
        return rows.length === 0 ? undefined : devices.sum(rows);
      },
    }));
  return open('blkio.throttle.io_service_bytes_recursive') ?? open('blkio.throttle.io_service_bytes');
}

function ioV2(folder: string, devices: BlockDevices): Counters | undefined {
  return reading(folder, ['io.stat'], (stat) => ({ io: () => devices.sum(parseIoStat(stat?.read() ?? '')) }));
}

function processes(folder: string): Counters | undefined {
  return reading(folder, ['pids.current'], (current) => ({ pids: () => singleValue(current?.read()) }));
}

/** Opens files for one reader; without the first of them there is no reader. */
function reading(
  folder: string,
  names: readonly string[],
  make: (...files: (KeptFile | undefined)[]) => Omit<Counters, typeof Symbol.dispose>,
): Counters | undefined {
  const files = names.map((name) => KeptFile.open(join(folder, name)));
  if (files[0] === undefined) {
    for (const file of files) file?.[Symbol.dispose]();
    return undefined;
  }
  return {
    ...make(...files),
    [Symbol.dispose]: () => {
      for (const file of files) file?.[Symbol.dispose]();
    },
  };
}

/** What can't be taken back at once: file pages that nobody used lately don't count. */
function workingSet(bytes: number, inactiveFile: number | undefined): number {
  return Math.max(0, bytes - (inactiveFile ?? 0));
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
