import type { ComputeDevice, DeviceAllocation, DeviceSharing, SlotType } from '../../domain/resource/device.js';
import type { Call } from './call.js';
import type { ContainerSpec, Mount } from './container-engine.port.js';

/** Facts of an allocated device for `used_devices` and the GPU environment (lifecycle.md §1.15). */
export interface AttachedDevice {
  readonly deviceId: string;
  readonly modelName: string | null;
  readonly memoryBytes: number | null;
  readonly processingUnits: number | null;
}

/** What a plug-in adds to a container; lists are appended, limits override. */
export type ContainerContribution = Partial<
  Pick<ContainerSpec, 'env' | 'devices' | 'deviceRequests' | 'groupAdd' | 'securityOpt'>
> & {
  readonly mounts?: readonly Mount[];
  readonly limits?: Partial<ContainerSpec['limits']>;
};

/** How clients show amounts of a plug-in's slot (stats.md §5.3). */
export interface SlotMetadata {
  readonly slotName: string;
  readonly description: string;
  readonly humanReadableName: string;
  readonly displayUnit: string;
  /** Multiples of 1024, and digits after the point. */
  readonly numberFormat: { readonly binary: boolean; readonly roundLength: number };
  readonly displayIcon: string;
}

export interface DeviceReading {
  readonly deviceId: string;
  /** Metric name (`cuda_mem`, `cpu_util`) → raw values. */
  readonly metrics: Readonly<Record<string, { readonly current: number; readonly capacity?: number }>>;
}

/** How the hardware of a plug-in is, for people (rpc.md §6.2). */
export interface HardwareReport {
  readonly status: 'healthy' | 'degraded' | 'offline';
  /** What is wrong, in a sentence. */
  readonly statusInfo: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * One kind of device: cpu and mem are plug-ins too. The *choice* of devices is the domain's (alloc maps); a plug-in
 * says what exists, how it is shared, and what a chosen device means for a container (lifecycle.md §6.2).
 */
export interface AcceleratorPlugin {
  /** Device name and slot prefix: `cpu`, `mem`, `cuda`, `mock`. */
  readonly key: string;
  readonly slotTypes: Readonly<Record<string, SlotType>>;
  /** How requests are placed on its devices (lifecycle.md §6.4). */
  readonly sharing: DeviceSharing;
  /** Glob patterns of slots that exclude one another. */
  readonly exclusiveSlots: readonly string[];
  /** Scans the hardware; called at start and every 30 s. */
  discover(call: Call): Promise<readonly ComputeDevice[]>;
  contribute(allocation: DeviceAllocation): ContainerContribution;
  /** `KEY=value` lines for resource.txt (lifecycle.md §6.8). */
  resourceLines(allocation: DeviceAllocation): Readonly<Record<string, string>>;
  attached(allocation: DeviceAllocation): readonly AttachedDevice[];
  readonly metadata: SlotMetadata;
  /**
   * Readings per device, for the statistics of the node and of kernels; none of cores and memory, which are read with the
   * node (UsageSource). Never throws: a device that can't be read is left out.
   */
  measure(call: Call): Promise<readonly DeviceReading[]>;
  /** Facts of drivers and devices; a plug-in without any leaves it out. Failing means that nothing can be known now. */
  hardware?(call: Call): Promise<HardwareReport>;
  /** `{ version, … }` of the heartbeat's `compute_plugins`. */
  describe(): Readonly<Record<string, string>>;
}

export const AcceleratorPlugins = Symbol('AcceleratorPlugins');
/** All plug-ins of this node, intrinsic ones last (lifecycle.md §6.2). */
export type AcceleratorPlugins = readonly AcceleratorPlugin[];
