import type { BatchJob } from '../execution/batch-job.js';
import type { Allocation } from '../resource/device.js';
import type { ServicePort } from '../service-port/service-port.js';
import type { KernelSpec } from './kernel-spec.js';
import type { KernelState } from './kernel-state.js';
import type { TerminationReason } from './termination-reason.js';

/** What the agent must know of a kernel after it was killed: written at each change of state. */
export interface KernelRecord {
  readonly version: 1;
  readonly agentId: string;
  readonly spec: KernelSpec;
  readonly state: KernelState;
  readonly allocation: Allocation;
  /** Slot → decimal text for every known slot. */
  readonly slots: Readonly<Record<string, string>>;
  readonly servicePorts: readonly ServicePort[];
  /** Host ports of the runner's two sockets; 0 until they are known. */
  readonly replInPort: number;
  readonly replOutPort: number;
  readonly containerId: string | null;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  readonly terminationReason: TerminationReason | null;
  /** Whoever asked for its end wants no event of it. */
  readonly endsSilently?: true;
  /** Only of a batch session whose job was asked for. */
  readonly batch?: BatchJob;
}
