import type {
  AgentStatus,
  CreatedKernel,
  ExecuteRequest,
  HealthReport,
  KernelView,
} from '../../../application/use-cases.js';
import type { ExecutionResult } from '../../../domain/execution/execution.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';

/** What a command is told of a kernel that was made. */
export type StartedKernel = Pick<
  CreatedKernel,
  'kernelId' | 'containerId' | 'kernelHost' | 'servicePorts' | 'slots' | 'timingsMs'
>;

export interface SeenEvent {
  readonly id: number;
  readonly name: string;
  readonly timestampMs: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface EventQuery {
  /** Goes on with what happens from now on; else ends after what is kept of the past. */
  readonly follow: boolean;
  readonly kernelId?: KernelId;
  /** Only events after this id; without it all that are kept. */
  readonly since?: number;
}

/**
 * An agent as the commands see it: one that runs on this host, reached over HTTP, or one inside this process. Failures
 * are AgentErrors; an agent that can't be reached is an AgentUnreachableError.
 */
export interface AgentClient {
  /** Cancelled, or with its answer lost, it leaves no kernel behind. */
  createKernel(spec: KernelSpec, signal: AbortSignal): Promise<StartedKernel>;
  restartKernel(kernelId: KernelId, signal: AbortSignal): Promise<StartedKernel>;
  destroyKernel(kernelId: KernelId, signal: AbortSignal): Promise<void>;
  execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult>;
  interrupt(kernelId: KernelId, signal: AbortSignal): Promise<void>;
  logs(
    kernelId: KernelId,
    options: { readonly follow: boolean; readonly tail?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  listKernels(signal: AbortSignal): Promise<readonly KernelView[]>;
  usage(kernelId: KernelId, signal: AbortSignal): Promise<RunUsage | undefined>;
  status(signal: AbortSignal): Promise<AgentStatus>;
  health(signal: AbortSignal): Promise<HealthReport>;
  events(query: EventQuery, signal: AbortSignal): AsyncIterable<SeenEvent>;
}
