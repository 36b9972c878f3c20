import type { AnnouncedEvent } from '../../../application/ports/event-bus.port.js';
import type {
  AgentStatus,
  ExecuteRequest,
  HealthReport,
  KernelView,
  UseCases,
} from '../../../application/use-cases.js';
import type { ExecutionResult } from '../../../domain/execution/execution.js';
import { kernelOf } from '../../../domain/event/agent-event.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';
import type { AgentClient, EventQuery, SeenEvent, StartedKernel } from './agent-client.js';

/** An agent inside this process: the use cases themselves. */
export class EmbeddedAgentClient implements AgentClient {
  constructor(private readonly useCases: UseCases) {}

  createKernel(spec: KernelSpec, signal: AbortSignal): Promise<StartedKernel> {
    return this.useCases.createKernel(spec, signal);
  }

  restartKernel(kernelId: KernelId, signal: AbortSignal): Promise<StartedKernel> {
    return this.useCases.restartKernel(kernelId, signal);
  }

  async destroyKernel(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    await this.useCases.destroyKernel({ kernelId, reason: 'user-requested', suppressEvents: false }, signal);
  }

  execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult> {
    return this.useCases.execute(request, signal);
  }

  interrupt(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    return this.useCases.interrupt(kernelId, signal);
  }

  logs(
    kernelId: KernelId,
    options: { readonly follow: boolean; readonly tail?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    return this.useCases.logs(kernelId, options, signal);
  }

  listKernels(): Promise<readonly KernelView[]> {
    return Promise.resolve(this.useCases.listKernels());
  }

  usage(kernelId: KernelId): Promise<RunUsage | undefined> {
    return Promise.resolve(this.useCases.usage(kernelId));
  }

  status(): Promise<AgentStatus> {
    return Promise.resolve(this.useCases.status());
  }

  health(): Promise<HealthReport> {
    return this.useCases.health();
  }

  async *events({ follow, kernelId, since = 0 }: EventQuery, signal: AbortSignal): AsyncIterable<SeenEvent> {
    const waiting: SeenEvent[] = [];
    let wake: (() => void) | undefined;
    const abort = (): void => wake?.();
    const subscription = this.useCases.subscribe((announced) => {
      if (kernelId !== undefined && kernelOf(announced.event) !== kernelId) return;
      waiting.push(seen(announced));
      wake?.();
    }, since);
    signal.addEventListener('abort', abort);
    try {
      for (;;) {
        yield* waiting.splice(0);
        if (waiting.length > 0) continue;
        if (!follow || signal.aborted) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', abort);
      subscription[Symbol.dispose]();
    }
  }
}

function seen({ id, timestampMs, event }: AnnouncedEvent): SeenEvent {
  return { id, timestampMs, name: event.name, body: { ...event.body } };
}
