import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type {
  AcceleratorPlugin,
  AttachedDevice,
  ContainerContribution,
  DeviceReading,
} from '../../../application/ports/accelerator-plugin.port.js';
import type { Call } from '../../../application/ports/call.js';
import type { ComputeDevice, DeviceAllocation } from '../../../domain/resource/device.js';
import { type HostRoots, readEngineCgroup, readHostFile } from '../host-files.js';
import { parseCpuList } from './cpu-list.js';

/**
 * Logical cores (lifecycle.md §6.3): those that the engine's containers may use, else those that this process may use.
 * Device id = core number. A kernel is bound to its cores and to their bandwidth.
 */
export class CpuAccelerator implements AcceleratorPlugin {
  readonly key = 'cpu';
  readonly slotTypes = { cpu: 'count' } as const;
  readonly sharing = { kind: 'discrete', strategy: 'EVENLY' } as const;
  readonly exclusiveSlots = [];
  readonly metadata = {
    slotName: 'cpu',
    description: 'CPU',
    humanReadableName: 'CPU',
    displayUnit: 'Core',
    numberFormat: { binary: false, roundLength: 0 },
    displayIcon: 'cpu',
  };

  /** `overcommit` is how often each core is given out (BACKEND_CPU_OVERCOMMIT_FACTOR). */
  constructor(
    private readonly roots: HostRoots,
    private readonly overcommit = 1,
  ) {}

  async discover(call: Call): Promise<readonly ComputeDevice[]> {
    const [cpus, nodes] = await Promise.all([this.#usableCpus(call), this.#numaNodes(call)]);
    return cpus.map((cpu) => ({
      deviceId: String(cpu),
      deviceName: this.key,
      slotName: 'cpu',
      amount: String(this.overcommit),
      numaNode: nodes.get(cpu) ?? null,
      modelName: '',
      hwLocation: 'root',
      memoryBytes: 0,
      processingUnits: 1,
    }));
  }

  contribute(allocation: DeviceAllocation): ContainerContribution {
    const cores = coresOf(allocation);
    if (cores.length === 0) return {};
    const granted = Object.values(allocation['cpu'] ?? {}).reduce((sum, amount) => sum + Number(amount), 0);
    // More units than cores come from overcommitting: a kernel still can't run on more cores than it is bound to.
    return { limits: { cpusetCpus: cores.join(','), cpuQuotaCores: Math.min(granted, cores.length) } };
  }

  resourceLines(): Readonly<Record<string, string>> {
    return {};
  }

  attached(allocation: DeviceAllocation): readonly AttachedDevice[] {
    return coresOf(allocation).map((core) => ({
      deviceId: String(core),
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

  async #usableCpus(call: Call): Promise<number[]> {
    const ofEngine = await readEngineCgroup(
      this.roots,
      { v2: 'cpuset.cpus.effective', v1Controller: 'cpuset', v1: 'cpuset.effective_cpus' },
      call,
    );
    const status = await readHostFile(join(this.roots.procRoot, 'self/status'), call);
    const ofProcess = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status ?? '')?.[1];
    return (
      parseCpuList(ofEngine ?? '') ??
      parseCpuList(ofProcess ?? '') ??
      Array.from({ length: availableParallelism() }, (_, cpu) => cpu)
    );
  }

  /** Core → NUMA node; empty where the machine doesn't tell. */
  async #numaNodes(call: Call): Promise<ReadonlyMap<number, number>> {
    const root = join(this.roots.sysRoot, 'devices/system/node');
    const names = await readdir(root).catch(() => []);
    const nodes = new Map<number, number>();
    for (const name of names) {
      const node = /^node(\d+)$/.exec(name)?.[1];
      const list = node === undefined ? undefined : await readHostFile(join(root, name, 'cpulist'), call);
      for (const cpu of parseCpuList(list ?? '') ?? []) nodes.set(cpu, Number(node));
    }
    return nodes;
  }
}

function coresOf(allocation: DeviceAllocation): number[] {
  return Object.keys(allocation['cpu'] ?? {})
    .map(Number)
    .sort((a, b) => a - b);
}
