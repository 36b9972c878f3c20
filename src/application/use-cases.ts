import type { ExecutionMode, ExecutionResult } from '../domain/execution/execution.js';
import type { KernelId, SessionId } from '../domain/kernel/kernel-id.js';
import type { KernelSpec } from '../domain/kernel/kernel-spec.js';
import type { KernelState } from '../domain/kernel/kernel-state.js';
import type { TerminationReason } from '../domain/kernel/termination-reason.js';
import type { Allocation } from '../domain/resource/device.js';
import type { ServicePort } from '../domain/service-port/service-port.js';
import type { RunUsage } from '../domain/statistics/usage.js';
import type { ServiceResult } from '../domain/krunner-wire/krunner-wire.js';
import type { AttachedDevice } from './ports/accelerator-plugin.port.js';
import type { AnnouncedEvent } from './ports/event-bus.port.js';

/** Everything that can be asked of the agent. RPC, HTTP and the command line translate to these and nothing else. */
export interface UseCases {
  /**
   * Creates and starts a kernel. A second call for an id that exists or is being created gives the first one's result.
   * Firing `signal` cancels: all that was made is undone and one terminal event told.
   */
  createKernel(spec: KernelSpec, signal: AbortSignal): Promise<CreatedKernel>;
  /** Returns when nothing of the kernel is left. An unknown kernel is a success told as `already-terminated`. */
  destroyKernel(request: DestroyRequest, signal: AbortSignal): Promise<void>;
  /** Same scratch, same devices, new container. */
  restartKernel(kernelId: KernelId, signal: AbortSignal): Promise<CreatedKernel>;
  execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult>;
  interrupt(kernelId: KernelId, signal: AbortSignal): Promise<void>;
  complete(
    kernelId: KernelId,
    code: string,
    options: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  startService(
    kernelId: KernelId,
    service: string,
    options: ServiceOptions,
    signal: AbortSignal,
  ): Promise<ServiceResult>;
  /** Container log as it was written; with `follow` until the container ends. */
  logs(
    kernelId: KernelId,
    options: { readonly follow?: boolean; readonly tail?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  listKernels(): readonly KernelView[];
  /** Throws KernelNotFoundError. */
  getKernel(kernelId: KernelId): KernelView;
  /** Usage since the kernel started, read now. */
  usage(kernelId: KernelId): RunUsage | undefined;
  status(): AgentStatus;
  health(): HealthReport;
  /** See EventBus.subscribe. */
  subscribe(listener: (event: AnnouncedEvent) => void, since?: number): Disposable;
}

export const UseCases = Symbol('UseCases');

export interface DestroyRequest {
  readonly kernelId: KernelId;
  readonly sessionId?: SessionId;
  readonly reason: TerminationReason;
  readonly suppressEvents: boolean;
}

export interface ExecuteRequest {
  readonly kernelId: KernelId;
  /** `null` = the agent makes one and tells it in the result. */
  readonly runId: string | null;
  readonly mode: ExecutionMode;
  /** Source text (`query`), or what was typed (`input`). */
  readonly code: string;
  /** `batch`: `clean`, `build` and `exec` commands; empty = nothing to do. */
  readonly batch?: { readonly clean: string; readonly build: string; readonly exec: string };
  /** The call returns `continued` after this time; `null` = only when the run has something to say at its end. */
  readonly flushTimeoutMs: number | null;
}

export interface ServiceOptions {
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly envs?: Readonly<Record<string, string>>;
}

export interface CreatedKernel {
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
  readonly containerId: string;
  readonly kernelHost: string;
  readonly replInPort: number;
  readonly replOutPort: number;
  /** Without protocol `internal`. */
  readonly servicePorts: readonly ServicePort[];
  readonly allocation: Allocation;
  /** Slot → decimal text, every known slot. */
  readonly slots: Readonly<Record<string, string>>;
  readonly attachedDevices: Readonly<Record<string, readonly AttachedDevice[]>>;
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly permission: string }[];
  readonly agentAddr: string;
  readonly scalingGroup: string;
  /** Stage → milliseconds, in order. */
  readonly timingsMs: Readonly<Record<string, number>>;
  /** False if the kernel was there before this call. */
  readonly created: boolean;
}

export interface KernelView {
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
  readonly state: KernelState;
  readonly image: string;
  readonly containerId: string | null;
  readonly slots: Readonly<Record<string, string>>;
  readonly servicePorts: readonly ServicePort[];
  readonly kernelHost: string;
  readonly createdAtMs: number;
  readonly startedAtMs: number | null;
  /** Why the container is gone or the last run was cut, if something went wrong: `oom`. */
  readonly notice: string | null;
}

export interface AgentStatus {
  readonly agentId: string;
  readonly version: string;
  readonly ready: boolean;
  readonly slots: Readonly<Record<'total' | 'occupied' | 'available', Readonly<Record<string, string>>>>;
  readonly ports: { readonly free: number; readonly used: number };
  readonly kernels: Readonly<Record<KernelState, number>>;
  readonly dependencies: readonly DependencyHealth[];
}

export interface DependencyHealth {
  /** `container`, `redis`, `etcd` (state.md §9.2). */
  readonly group: string;
  readonly component: string;
  readonly healthy: boolean;
  readonly latencyMs: number | null;
  readonly error: string | null;
  readonly checkedAtMs: number;
  /** Since when it is as it is now. */
  readonly sinceMs: number;
}

export interface HealthReport {
  readonly status: 'ok' | 'degraded';
  readonly version: string;
  readonly dependencies: readonly DependencyHealth[];
  readonly timestampMs: number;
}
