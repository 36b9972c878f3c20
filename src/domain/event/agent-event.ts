import type { KernelId, SessionId } from '../kernel/kernel-id.js';
import type { TerminationReason } from '../kernel/termination-reason.js';
import type { PublicServicePort } from '../service-port/service-port.js';

/** Per unit of a device: what a kernel got of it (state.md §2.6, B `creation_info`). */
export interface UsedDeviceUnit {
  readonly model_name: string | null;
  readonly used: Readonly<Record<string, string>>;
  readonly processing_units: number | null;
  readonly memory_size: number | null;
}

export interface CreationInfo {
  readonly container_id: string;
  readonly kernel_host: string;
  readonly repl_in_port: number;
  readonly repl_out_port: number;
  readonly service_ports: readonly PublicServicePort[];
  readonly used_devices: { readonly units: Readonly<Record<string, Readonly<Record<string, UsedDeviceUnit>>>> };
}

/** An image as the Manager knows it (state.md §2.6, `image_ref`). */
export interface ImageRefBody {
  readonly name: string;
  readonly project: string | null;
  readonly tag: string;
  readonly registry: string;
  readonly architecture: string;
  readonly is_local: boolean;
}

interface ImagePullBody {
  /** The canonical name, exactly as the Manager gave it. */
  readonly image: string;
  readonly agent_id: string;
  readonly image_ref: ImageRefBody | null;
}

interface SessionResultBody {
  readonly session_id: SessionId;
  readonly reason: TerminationReason;
  readonly exit_code: number;
}

interface VolumeReplyBody {
  readonly node_id: string;
  readonly node_type: 'agent';
  readonly mount_path: string;
  readonly quota_scope_id: string;
  readonly err_msg: string | null;
}

/** How a background task ended; `task_id` is a UUID with dashes (state.md §6). */
interface TaskEndBody {
  readonly task_id: string;
  readonly message: string | null;
}

export interface ServiceEndpointBody {
  readonly role: string;
  readonly scope: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface KernelBody {
  readonly kernel_id: KernelId;
  readonly session_id: SessionId;
  readonly reason: string;
}

/** The twelve keys that a Manager requires (state.md §3.1). */
export interface AgentInfo {
  readonly ip: string;
  readonly region: string | null;
  readonly scaling_group: string | null;
  readonly addr: string;
  readonly public_key: string | null;
  readonly public_host: string;
  readonly available_resource_slots: readonly { readonly resource_type: string; readonly quantity: string }[];
  readonly slot_key_and_units: Readonly<Record<string, string>>;
  readonly version: string;
  readonly compute_plugins: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly architecture: string;
  readonly auto_terminate_abusing_kernel: boolean;
}

/** Event name → body, in the words of generation B (state.md §2.6). */
export interface AgentEventBodies {
  agent_started: { readonly reason: string };
  agent_terminated: { readonly reason: string };
  agent_heartbeat: { readonly agent_info: AgentInfo };
  agent_error: {
    readonly message: string;
    readonly traceback: string | null;
    readonly user: null;
    readonly context_env: Readonly<Record<string, unknown>>;
    readonly severity: 'CRITICAL' | 'ERROR' | 'WARNING' | 'INFO' | 'DEBUG';
  };
  do_agent_resource_check: { readonly agent_id: string };
  kernel_preparing: KernelBody;
  kernel_pulling: KernelBody;
  kernel_creating: KernelBody;
  kernel_started: KernelBody & { readonly creation_info: CreationInfo };
  kernel_terminated: {
    readonly kernel_id: KernelId;
    readonly session_id: SessionId;
    readonly reason: TerminationReason;
    readonly exit_code: number;
  };
  /** The log of a container that ended is complete in the state store (state.md §7). */
  do_sync_kernel_logs: { readonly kernel_id: KernelId; readonly container_id: string };
  session_success: SessionResultBody;
  session_failure: SessionResultBody;
  /** `timestamp` in seconds since 1970. */
  image_pull_started: ImagePullBody & { readonly timestamp: number };
  image_pull_finished: ImagePullBody & { readonly timestamp: number; readonly msg: string | null };
  image_pull_failed: ImagePullBody & { readonly msg: string };
  /** Canonical name → what is gone from this machine. */
  agent_installed_images_remove: {
    readonly scanned_images: Readonly<Record<string, { readonly canonical: string; readonly digest: string }>>;
  };
  volume_mounted: VolumeReplyBody;
  volume_unmounted: VolumeReplyBody;
  bgtask_updated: TaskEndBody & { readonly current_progress: number; readonly total_progress: number };
  bgtask_done: TaskEndBody;
  bgtask_cancelled: TaskEndBody;
  bgtask_failed: TaskEndBody;
  bgtask_partial_success: TaskEndBody & { readonly errors: readonly string[] };
  service_registered: {
    readonly instance_id: string;
    readonly service_group: string;
    readonly display_name: string;
    readonly version: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly endpoints: readonly ServiceEndpointBody[];
    /** ISO 8601. */
    readonly startup_time: string;
    readonly config_hash: string;
  };
  service_deregistered: { readonly instance_id: string; readonly service_group: string };
  execution_started: { readonly session_id: SessionId };
  execution_finished: { readonly session_id: SessionId };
  execution_timeout: { readonly session_id: SessionId };
  /** Ours, for people who watch: a stage of creating a kernel ended. Never sent to a Manager. */
  kernel_stage: {
    readonly kernel_id: KernelId;
    readonly session_id: SessionId;
    readonly stage: string;
    readonly elapsed_ms: number;
    readonly message: string;
  };
  /** Ours, for people who watch: the newest usage of a kernel. Never sent to a Manager. */
  kernel_usage: { readonly kernel_id: KernelId; readonly session_id: SessionId; readonly usage: KernelUsageBody };
}

export interface KernelUsageBody {
  readonly cpu_ms: number;
  readonly cpu_percent: number;
  readonly mem_bytes: number;
  readonly mem_peak_bytes: number;
  readonly net_rx_bytes: number;
  readonly net_tx_bytes: number;
  readonly io_read_bytes: number;
  readonly io_write_bytes: number;
}

export type AgentEventName = keyof AgentEventBodies;

export type AgentEvent = {
  [Name in AgentEventName]: { readonly name: Name; readonly body: AgentEventBodies[Name] };
}[AgentEventName];

/**
 * `anycast` = one Manager worker, `broadcast` = every listener, `both` in that order, `cached` = broadcast, and kept as
 * the newest of its task for those who ask later (state.md §6), `local` = this node's watchers.
 */
export type Delivery = 'anycast' | 'broadcast' | 'both' | 'cached' | 'local';

/** The delivery column of state.md §2.6. */
export const DELIVERY: Readonly<Record<AgentEventName, Delivery>> = {
  agent_started: 'anycast',
  agent_terminated: 'anycast',
  agent_heartbeat: 'anycast',
  agent_error: 'anycast',
  do_agent_resource_check: 'anycast',
  kernel_preparing: 'both',
  kernel_pulling: 'both',
  kernel_creating: 'both',
  kernel_started: 'both',
  kernel_terminated: 'both',
  do_sync_kernel_logs: 'anycast',
  session_success: 'both',
  session_failure: 'both',
  image_pull_started: 'anycast',
  image_pull_finished: 'anycast',
  image_pull_failed: 'anycast',
  agent_installed_images_remove: 'anycast',
  volume_mounted: 'broadcast',
  volume_unmounted: 'broadcast',
  bgtask_updated: 'cached',
  bgtask_done: 'cached',
  bgtask_cancelled: 'cached',
  bgtask_failed: 'cached',
  bgtask_partial_success: 'cached',
  service_registered: 'anycast',
  service_deregistered: 'anycast',
  execution_started: 'anycast',
  execution_finished: 'anycast',
  execution_timeout: 'anycast',
  kernel_stage: 'local',
  kernel_usage: 'local',
};

/** The kernel that an event is about, if it is about one: events of one kernel keep their order. */
export function kernelOf(event: AgentEvent): KernelId | undefined {
  return 'kernel_id' in event.body ? event.body.kernel_id : undefined;
}
