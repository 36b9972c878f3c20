import type { ExecutionMode, ExecutionResult } from '../domain/execution/execution.js';
import type { KernelId, SessionId } from '../domain/kernel/kernel-id.js';
import type { ImageRequest, KernelSpec, RegistryCredentials } from '../domain/kernel/kernel-spec.js';
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
  /** How each dependency is, asked anew where that was done seconds ago; within about a second. */
  health(): Promise<HealthReport>;
  /** What becomes of a kernel, as a Manager asks it (rpc.md §6.3, §6.7, §6.8, §6.10, §6.12). */
  readonly kernelCare: KernelCareUseCases;
  readonly images: ImageUseCases;
  readonly files: FileUseCases;
  readonly networks: NetworkUseCases;
  readonly node: NodeUseCases;
  readonly host: HostUseCases;
  /** A bug of ours was seen: tells the Manager so, now and then. Never throws. `context` holds nothing secret. */
  reportFault(error: unknown, context: Readonly<Record<string, string>>): void;
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

/** The rarer requests about kernels. */
export interface KernelCareUseCases {
  /** Being created, or there already. */
  isCreating(kernelId: KernelId): boolean;
  /**
   * Registered, and RUNNING or being restarted. A Manager ends the kernel on `false`: throws `NotReadyError` before
   * recovery is over.
   */
  isRunning(kernelId: KernelId): boolean;
  /** The runner's answer (`started_at` in seconds since 1970), or `null` if it gave none. Throws KernelNotFoundError. */
  ping(kernelId: KernelId, signal: AbortSignal): Promise<{ readonly startedAt: number } | null>;
  /**
   * The Manager's list of what should live here. Unknown ones are told `already-terminated`; ours that are not listed
   * (and were there before the call) are destroyed silently as `not-found-in-manager`. Returns without waiting for it.
   *
   * A Manager lists the kernels of one address of the agent only: those made under another one are left alone.
   */
  syncRegistry(listed: readonly KernelRef[]): Promise<void>;
  /**
   * Runs the session's batch job in the background and tells `session_success` or `session_failure` exactly once.
   * Returns at once. An unknown kernel is told by `session_failure` (rpc.md §7.2.24). `timeoutMs` null = none.
   */
  triggerBatch(
    request: KernelRef & { readonly code: string; readonly timeoutMs: number | null },
    signal: AbortSignal,
  ): Promise<void>;
  /** Never fails: nothing to stop is a success (rpc.md §6.12). */
  shutdownService(kernelId: KernelId, service: string, signal: AbortSignal): Promise<void>;
}

export interface KernelRef {
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
}

/** Identifier of a background task: a UUID with dashes. Its end is told by `bgtask_*` events (state.md §6). */
export type TaskId = string;

/** Images of this node (rpc.md §6.4, §6.14). */
export interface ImageUseCases {
  isPulling(canonical: string): boolean;
  /**
   * One background task per image, at once. Every end is told by `image_pull_finished` or `image_pull_failed`, also
   * when nothing had to be pulled; `image_pull_started` only if something has.
   */
  checkAndPull(images: readonly PullRequest[]): Promise<ReadonlyMap<string, TaskId>>;
  /** A local image is a success without any work. Throws before any side effect if `canonical` is no image name. */
  push(request: PushRequest): Promise<TaskId>;
  /** In the order asked; a failure is told per image and fails nothing else. */
  purge(
    canonicals: readonly string[],
    options: { readonly force: boolean; readonly noPrune: boolean },
    signal: AbortSignal,
  ): Promise<readonly { readonly image: string; readonly error: string | null }[]>;
  /** Commits the kernel's container to an image, or to a file below the commit folder. Throws KernelNotFoundError. */
  commit(request: CommitRequest): Promise<{ readonly taskId: TaskId; readonly path: string | null }>;
  /** Throws KernelNotFoundError. */
  commitStatus(kernelId: KernelId, subfolder: string): 'ready' | 'ongoing';
}
export const ImageUseCases = Symbol('ImageUseCases');

export interface PullRequest {
  readonly image: ImageRequest;
  /** What the Manager knows of the image beside its name. */
  readonly project: string | null;
  readonly registryName: string | null;
}

export interface PushRequest {
  readonly canonical: string;
  readonly isLocal: boolean;
  readonly credentials?: RegistryCredentials;
}

export interface CommitRequest {
  readonly kernelId: KernelId;
  /** A name of one component: the owner of the commit. */
  readonly subfolder: string;
  /** Name of the new image; `null` only with a filename. */
  readonly canonical: string | null;
  /** A name of one component; then the image goes to a gzip-compressed file and no image stays on the host. */
  readonly filename: string | null;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * Files of kernels: everything stays inside /home/work with its mounts; `..`, absolute paths outside and symlinks that
 * lead out are `PermissionError`s (rpc.md §6.13).
 */
export interface FileUseCases {
  /** Makes missing folders; what is written belongs to the kernel's user. */
  upload(kernelId: KernelId, path: string, data: Uint8Array, signal: AbortSignal): Promise<void>;
  /** A file or folder as an uncompressed tar. Above 1 MiB an InvalidArgumentError, without reading on. */
  downloadArchive(kernelId: KernelId, path: string, signal: AbortSignal): Promise<Uint8Array>;
  /** The content of exactly one file, same limit. */
  downloadFile(kernelId: KernelId, path: string, signal: AbortSignal): Promise<Uint8Array>;
  list(kernelId: KernelId, path: string, signal: AbortSignal): Promise<FileListing>;
}
export const FileUseCases = Symbol('FileUseCases');

export interface FileListing {
  readonly files: readonly FileEntry[];
  /** What could not be read, as a sentence; empty if all could. */
  readonly errors: string;
  readonly path: string;
}

export interface FileEntry {
  /** As `ls -l` writes it: `-rw-r--r--`. */
  readonly mode: string;
  readonly sizeBytes: number;
  readonly changedAtMs: number;
  readonly modifiedAtMs: number;
  readonly accessedAtMs: number;
  readonly name: string;
}

/** Networks of clusters and ports handed out ahead of a kernel (rpc.md §6.15). */
export interface NetworkUseCases {
  /** Idempotent. */
  create(name: string, signal: AbortSignal): Promise<void>;
  /** Gone already is a success; one that is still used is a failure. */
  destroy(name: string, signal: AbortSignal): Promise<void>;
  /** A host port that nobody else gets until a kernel uses it or it was given back. */
  assignPort(): Promise<number>;
  /** Out of range or free: nothing happens. */
  releasePort(port: number): void;
}
export const NetworkUseCases = Symbol('NetworkUseCases');

/** What is asked of the node itself (rpc.md §6.2, §6.16, §6.17). */
export interface NodeUseCases {
  /** Devices whose plug-in tells about its hardware. */
  hardware(signal: AbortSignal): Promise<readonly HardwareInfo[]>;
  /** Of every `cuda` device in use: the share of its capacity as decimal text with four places. */
  gpuAllocations(): Readonly<Record<string, string>>;
  abuseReportPath(): string;
  /** Destroys every kernel of this agent, each told `agent-termination`. */
  reset(signal: AbortSignal): Promise<void>;
  /** Later heartbeats name this resource group; kept over a restart (Managers up to 26.7). */
  changeResourceGroup(name: string): Promise<void>;
}
export const NodeUseCases = Symbol('NodeUseCases');
export const KernelCareUseCases = Symbol('KernelCareUseCases');

export interface HardwareInfo {
  readonly deviceName: string;
  readonly status: 'healthy' | 'degraded' | 'offline' | 'unavailable';
  readonly statusInfo: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export type HostControl = 'start' | 'stop' | 'restart' | 'soft-reset' | 'hard-reset' | 'shutdown';

/** What the reference's watcher does for an administrator at the Manager (state.md §9.3). */
export interface HostUseCases {
  /** What the service manager says of the agent's unit: `active`, …; `null` = there is no service manager. */
  serviceState(signal: AbortSignal): Promise<string | null>;
  /** Queues it; `false` = there is no service manager. A soft reset that is not allowed is a PermissionError. */
  control(action: HostControl, signal: AbortSignal): Promise<boolean>;
  fstab(): Promise<string>;
  listMounts(signal: AbortSignal): Promise<readonly string[]>;
  /** Resolves with the mount point. Bad names are InvalidArgumentErrors, what `mount` refuses is a StorageError. */
  mount(request: MountRequest, signal: AbortSignal): Promise<string>;
  unmount(name: string, forget: boolean, signal: AbortSignal): Promise<string>;
}
export const HostUseCases = Symbol('HostUseCases');

export interface MountRequest {
  /** Relative to the cluster's mount prefix (`volumes/_mount`, else /mnt). */
  readonly name: string;
  readonly source: string;
  readonly type: string;
  /** Comma-separated; empty = none. */
  readonly options: string;
  /** Also after a reboot: a line in fstab. */
  readonly persist: boolean;
}
