import { inject, injectable } from 'inversify';
import { insufficientResource, invalidArgument } from '../../domain/error/errors.js';
import { parseImageLabels } from '../../domain/image/image-labels.js';
import { ImageRef } from '../../domain/image/image-ref.js';
import type { KernelSpec } from '../../domain/kernel/kernel-spec.js';
import { clusterNetwork } from '../../domain/network/cluster-network.js';
import { Amount } from '../../domain/resource/amount.js';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { dotfileToScratchFile } from '../../domain/scratch/dotfile-path.js';
import { checkEnviron } from '../../domain/scratch/environ.js';
import { planServicePorts } from '../../domain/service-port/plan-service-ports.js';
import { checkMountFacts, resolveMounts } from '../../domain/vfolder/mount-rules.js';
import { AgentSettings } from '../agent-settings.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { HostPaths } from '../ports/host-paths.port.js';
import { RunnerRuntime } from '../ports/runner-runtime.port.js';
import { slotsOfRequest } from './slot-rules.js';

const HOSTNAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** Checks all of a request that can be checked without a side effect. Every refusal names the field. */
@injectable()
export class SpecValidator {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(ResourceBook) private readonly book: ResourceBook,
    @inject(RunnerRuntime) private readonly runtime: RunnerRuntime,
    @inject(HostPaths) private readonly hostPaths: HostPaths,
  ) {}

  /** Resolves with the request's slots: decimal text for every known slot. */
  async validate(spec: KernelSpec): Promise<Readonly<Record<string, string>>> {
    ImageRef.parse(spec.image.canonical, 'image');
    const labels = parseImageLabels(spec.image.labels ?? {});
    const slots = slotsOfRequest(spec.resourceSlots, this.plugins, labels.minResources);
    this.#fitsNode(slots);
    checkShmem(spec, slots);
    checkEnviron(spec.environ, 'environ');
    spec.dotfiles.forEach((dotfile, index) => dotfileToScratchFile(dotfile, `dotfiles[${index}]`));
    checkHostname(spec.clusterHostname);
    clusterNetwork(spec.cluster.networkConfig);
    planServicePorts({
      clusterRole: spec.clusterRole,
      preopenPorts: spec.preopenPorts,
      servicePortsLabel: labels.servicePorts,
      endpointNames: labels.endpointNames,
      allocatedHostPorts: [],
      intrinsic: this.runtime.services,
    });
    const mounts = resolveMounts(spec.mounts, this.settings.container.protectedPaths);
    for (const [index, mount] of mounts.entries()) {
      checkMountFacts(mount, await this.hostPaths.look(mount.hostPath), `mounts[${index}].host_path`);
    }
    return slots;
  }

  /** What the node doesn't have at all is refused at once; what it has not now, by the book. */
  #fitsNode(slots: Readonly<Record<string, string>>): void {
    const totals = this.book.totals();
    for (const [slot, text] of Object.entries(slots)) {
      const total = Amount.parse(totals[slot] ?? '0');
      if (Amount.parse(text).compare(total) <= 0) continue;
      throw insufficientResource(`${slot}: ${text} requested, this node has ${total.toString()} in all`, {
        field: `resource_slots.${slot}`,
        allowed: `at most ${total.toString()}`,
      });
    }
  }
}

function checkShmem(spec: KernelSpec, slots: Readonly<Record<string, string>>): void {
  const limit = Number(slots['mem'] ?? '0');
  if (spec.shmemBytes === undefined || (spec.shmemBytes >= 0 && spec.shmemBytes <= limit)) return;
  throw invalidArgument(`shmem: ${spec.shmemBytes} bytes of shared memory do not fit the kernel's memory`, {
    field: 'resource_opts.shmem',
    allowed: `0 to ${limit} bytes`,
  });
}

function checkHostname(name: string): void {
  if (HOSTNAME.test(name)) return;
  throw invalidArgument(`'${name.slice(0, 64)}' is not a host name`, {
    field: 'cluster_hostname',
    allowed: 'letters, digits and hyphens, at most 63',
  });
}
