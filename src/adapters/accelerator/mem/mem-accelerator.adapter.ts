import { join } from 'node:path';
import type {
  AcceleratorPlugin,
  AttachedDevice,
  ContainerContribution,
  DeviceReading,
} from '../../../application/ports/accelerator-plugin.port.js';
import type { Call } from '../../../application/ports/call.js';
import { storageFailure } from '../../../domain/error/errors.js';
import type { ComputeDevice, DeviceAllocation } from '../../../domain/resource/device.js';
import { type HostRoots, readEngineCgroup, readHostFile } from '../host-files.js';

/** The one device of this plug-in. */
const ROOT = 'root';

/**
 * Main memory (lifecycle.md §6.3): one device `root` of all that the machine, or the cgroup that containers are in, has. A
 * kernel gets a hard limit and no swap.
 */
export class MemAccelerator implements AcceleratorPlugin {
  readonly key = 'mem';
  readonly slotTypes = { mem: 'bytes' } as const;
  readonly sharing = { kind: 'discrete', strategy: 'FILL' } as const;
  readonly exclusiveSlots = [];

  /** `overcommit` multiplies what is given out (BACKEND_MEM_OVERCOMMIT_FACTOR). */
  constructor(
    private readonly roots: HostRoots,
    private readonly overcommit = 1,
  ) {}

  /** Throws StorageError if the machine does not tell its memory: nothing can be given out then. */
  async discover(call: Call): Promise<readonly ComputeDevice[]> {
    const memory = await this.#read(call);
    if (!memory) throw storageFailure(`${join(this.roots.procRoot, 'meminfo')} does not tell how much memory there is`);
    return [
      {
        deviceId: ROOT,
        deviceName: this.key,
        slotName: 'mem',
        amount: String(BigInt(memory.totalBytes) * BigInt(this.overcommit)),
        numaNode: 0,
        modelName: '',
        hwLocation: 'root',
        memoryBytes: memory.totalBytes,
        processingUnits: 0,
      },
    ];
  }

  contribute(allocation: DeviceAllocation): ContainerContribution {
    const bytes = Number(allocation['mem']?.[ROOT] ?? '0');
    return bytes > 0 ? { limits: { memoryBytes: bytes, memorySwapBytes: bytes } } : {};
  }

  resourceLines(): Readonly<Record<string, string>> {
    return {};
  }

  attached(allocation: DeviceAllocation): readonly AttachedDevice[] {
    return Object.keys(allocation['mem'] ?? {}).map((deviceId) => ({
      deviceId,
      modelName: '',
      memoryBytes: null,
      processingUnits: null,
    }));
  }

  /** `mem`: bytes in use and in all. */
  async measure(call: Call): Promise<readonly DeviceReading[]> {
    const memory = await this.#read(call).catch(() => undefined);
    if (!memory) return [];
    const current = Math.max(0, memory.totalBytes - memory.availableBytes);
    return [{ deviceId: ROOT, metrics: { mem: { current, capacity: memory.totalBytes } } }];
  }

  describe(): Readonly<Record<string, string>> {
    return { version: '1', overcommit: String(this.overcommit) };
  }

  async #read(call: Call): Promise<{ readonly totalBytes: number; readonly availableBytes: number } | undefined> {
    const meminfo = (await readHostFile(join(this.roots.procRoot, 'meminfo'), call)) ?? '';
    const total = kibibytes(meminfo, 'MemTotal');
    if (total === undefined) return undefined;
    const limit = await readEngineCgroup(
      this.roots,
      { v2: 'memory.max', v1Controller: 'memory', v1: 'memory.limit_in_bytes' },
      call,
    );
    // `max`, or v1's huge number, is no limit.
    const limitBytes = /^\d+$/.test(limit ?? '') ? Number(limit) : Infinity;
    return {
      totalBytes: Math.min(total, limitBytes),
      availableBytes: kibibytes(meminfo, 'MemAvailable') ?? kibibytes(meminfo, 'MemFree') ?? 0,
    };
  }
}

function kibibytes(meminfo: string, key: string): number | undefined {
  const amount = new RegExp(`^${key}:\\s*(\\d+) kB$`, 'm').exec(meminfo)?.[1];
  return amount === undefined ? undefined : Number(amount) * 1024;
}
