import type { BatchJob } from '../execution/batch-job.js';
import type { Allocation } from '../resource/device.js';
import type { ServicePort } from '../service-port/service-port.js';
import type { KernelId, SessionId } from './kernel-id.js';
import type { KernelRecord } from './kernel-record.js';
import type { KernelSpec } from './kernel-spec.js';
import { canBecome, type KernelState } from './kernel-state.js';
import type { TerminationReason } from './termination-reason.js';

/** Something that happened to a kernel and that its user should read: it ran out of memory. */
export type KernelNotice = 'oom';

/** One kernel as the agent knows it. Changes of state go through `become`, which refuses what the diagram lacks. */
export class Kernel {
  #state: KernelState;
  allocation: Allocation = {};
  /** Slot → decimal text for every known slot. */
  slots: Readonly<Record<string, string>> = {};
  servicePorts: readonly ServicePort[] = [];
  replInPort = 0;
  replOutPort = 0;
  containerId: string | null = null;
  startedAtMs: number | null = null;
  terminationReason: TerminationReason | null = null;
  /** Whoever asked for its end wants no event of it. */
  endsSilently = false;
  exitCode: number | null = null;
  notice: KernelNotice | null = null;
  batch: BatchJob | null = null;

  constructor(
    readonly spec: KernelSpec,
    readonly createdAtMs: number,
    state: KernelState = 'PREPARING',
  ) {
    this.#state = state;
  }

  get id(): KernelId {
    return this.spec.kernelId;
  }

  get sessionId(): SessionId {
    return this.spec.sessionId;
  }

  get state(): KernelState {
    return this.#state;
  }

  /** Staying in a state is allowed, so that finishing something half done is the same code as doing it. */
  become(next: KernelState): void {
    if (next === this.#state) return;
    if (!canBecome(this.#state, next)) {
      throw new Error(`kernel ${this.id} cannot go from ${this.#state} to ${next}`);
    }
    this.#state = next;
  }

  /** The first reason stands: what came later was a consequence. */
  recordReason(reason: TerminationReason): TerminationReason {
    this.terminationReason ??= reason;
    return this.terminationReason;
  }

  /** Every host port that this kernel has of the pool. */
  hostPorts(): readonly number[] {
    const repl = [this.replInPort, this.replOutPort].filter((port) => port > 0);
    return [...repl, ...this.servicePorts.flatMap((service) => service.hostPorts)];
  }

  toRecord(agentId: string): KernelRecord {
    return {
      version: 1,
      agentId,
      spec: this.spec,
      state: this.#state,
      allocation: this.allocation,
      slots: this.slots,
      servicePorts: this.servicePorts,
      replInPort: this.replInPort,
      replOutPort: this.replOutPort,
      containerId: this.containerId,
      createdAtMs: this.createdAtMs,
      startedAtMs: this.startedAtMs,
      terminationReason: this.terminationReason,
      ...(this.endsSilently ? { endsSilently: true } : {}),
      ...(this.batch ? { batch: this.batch } : {}),
    };
  }

  static fromRecord(record: KernelRecord): Kernel {
    const kernel = new Kernel(record.spec, record.createdAtMs, record.state);
    kernel.allocation = record.allocation;
    kernel.slots = record.slots;
    kernel.servicePorts = record.servicePorts;
    kernel.replInPort = record.replInPort;
    kernel.replOutPort = record.replOutPort;
    kernel.containerId = record.containerId;
    kernel.startedAtMs = record.startedAtMs;
    kernel.terminationReason = record.terminationReason;
    kernel.endsSilently = record.endsSilently ?? false;
    kernel.batch = record.batch ?? null;
    return kernel;
  }
}
