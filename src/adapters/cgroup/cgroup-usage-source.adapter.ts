import { join } from 'node:path';
import type { ContainerUsage, NodeReading, UsageSource } from '../../application/ports/usage-source.port.js';
import { engineError } from '../../domain/error/errors.js';
import { BlockDevices } from './block-devices.js';
import { CgroupContainerUsage } from './cgroup-container-usage.js';
import { openCounters, type Counters } from './cgroup-counters.js';
import { controllers, findHierarchies, type Hierarchies } from './cgroup-hierarchies.js';
import { findCgroup } from './cgroup-path.js';
import { ContainerNetwork } from './container-network.js';
import { ContainerProcesses } from './container-processes.js';
import { readOnce } from './kept-file.js';
import { measureDisk, type MeasureDisk } from './node-disks.js';
import { NodeUsage } from './node-usage.js';

export interface CgroupRoots {
  /** `/proc` by default. */
  readonly procRoot?: string;
  /** `/sys/fs/cgroup` by default. */
  readonly cgroupRoot?: string;
  /** `/sys` by default. */
  readonly sysRoot?: string;
  readonly measureDisk?: MeasureDisk;
}

/** The UsageSource port on the files of cgroup v1, v2 and hybrid hosts, and /proc. Needs no right of its own. */
export class CgroupUsageSource implements UsageSource {
  readonly #procRoot: string;
  readonly #cgroupRoot: string;
  readonly #devices: BlockDevices;
  readonly #node: NodeUsage;
  #hierarchies: Hierarchies | undefined;

  constructor(roots: CgroupRoots = {}) {
    const { procRoot = '/proc', cgroupRoot = '/sys/fs/cgroup', sysRoot = '/sys' } = roots;
    this.#procRoot = procRoot;
    this.#cgroupRoot = cgroupRoot;
    this.#devices = new BlockDevices(sysRoot);
    this.#node = new NodeUsage({ procRoot, sysRoot, measureDisk: roots.measureDisk ?? measureDisk });
  }

  open(container: { readonly id: string; readonly pid: number; readonly cgroupParent: string }): ContainerUsage {
    const place = {
      id: container.id,
      cgroupParent: container.cgroupParent,
      procCgroup: readOnce(join(this.#procRoot, String(container.pid), 'cgroup')),
    };
    this.#hierarchies ??= findHierarchies(this.#cgroupRoot);
    const opened: Counters[] = [];
    let anyFolder = '';
    for (const controller of controllers) {
      const hierarchy = this.#hierarchies[controller];
      const folder = hierarchy && findCgroup(hierarchy, place);
      const counters = hierarchy && folder && openCounters[hierarchy.version][controller](folder, this.#devices);
      if (!counters) continue;
      opened.push(counters);
      anyFolder = folder;
    }
    if (!opened.some((counters) => counters.cpuMs ?? counters.memory)) {
      for (const counters of opened) counters[Symbol.dispose]();
      throw engineError(`The cgroup of container ${container.id.slice(0, 12)} was not found`, {
        hint: `Its first process ${container.pid} may have ended, or ${this.#cgroupRoot} is not what the engine uses.`,
      });
    }
    const network = new ContainerNetwork(this.#procRoot, container.pid);
    return new CgroupContainerUsage(opened, network, new ContainerProcesses(this.#procRoot, anyFolder));
  }

  readNode(): NodeReading {
    return this.#node.read();
  }
}
