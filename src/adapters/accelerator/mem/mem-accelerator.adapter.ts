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
  /** Called `ram` and not after its slot, as the reference does: Managers have an entry of their own for `mem`. */
  readonly metadata = {
    slotName: 'ram',
    description: 'Memory',
    humanReadableName: 'RAM',
    displayUnit: 'GiB',
    numberFormat: { binary: true, roundLength: 0 },
    displayIcon: 'ram',
  };

  /** `overcommit` multiplies what is given out (BACKEND_MEM_OVERCOMMIT_FACTOR). */
  constructor(
    private readonly roots: HostRoots,
    private readonly overcommit = 1,
  ) {}

  /** Throws StorageError if the machine does not tell its memory: nothing can be given out then. */
  async discover(call: Call): Promise<readonly ComputeDevice[]> {
    const totalBytes = await this.#totalBytes(call);
    if (totalBytes === undefined)
      throw storageFailure(`${join(this.roots.procRoot, 'meminfo')} does not tell how much memory there is`);
    return [
      {
        deviceId: ROOT,
        deviceName: this.key,
        slotName: 'mem',
        amount: String(BigInt(totalBytes) * BigInt(this.overcommit)),
        numaNode: 0,
        modelName: '',
        hwLocation: 'root',
        memoryBytes: totalBytes,
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

  measure(): Promise<readonly DeviceReading[]> {
    return Promise.resolve([]);
  }

  describe(): Readonly<Record<string, string>> {
    return { version: '1', overcommit: String(this.overcommit) };
  }

  async #totalBytes(call: Call): Promise<number | undefined> {
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
    return Math.min(total, limitBytes);
  }
}

function kibibytes(meminfo: string, key: string): number | undefined {
  const amount = new RegExp(`^${key}:\\s*(\\d+) kB$`, 'm').exec(meminfo)?.[1];
  return amount === undefined ? undefined : Number(amount) * 1024;
}
