import type { z } from 'zod';
import type { AgentStatus, ExecuteRequest, HealthReport, KernelView } from '../../../application/use-cases.js';
import { isAbortError, isAgentError } from '../../../domain/error/agent-error.js';
import { agentUnreachable, deadlineExceeded } from '../../../domain/error/errors.js';
import type { ExecutionResult } from '../../../domain/execution/execution.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import type { RunUsage } from '../../../domain/statistics/usage.js';
import type { AgentClient, EventQuery, SeenEvent, StartedKernel } from './agent-client.js';
import { HttpCaller, type HttpCall, type HttpTarget } from './http-call.js';
import * as documents from './http-documents.js';
import { eventData } from './server-sent-events.js';

const QUICK_MS = 30_000;
/** Stopping a container has its grace time, and a restart may pull. */
const DESTROY_MS = 300_000;
const CREATE_MS = 3 * 3_600_000;
/** Added to the flush time of an execute call; a call without one may take as long as the program. */
const EXECUTE_SLACK_MS = 60_000;
const EXECUTE_MAX_MS = 7 * 24 * 3_600_000;

/** An agent that runs on this host, over its HTTP application. */
export class HttpAgentClient implements AgentClient, Disposable {
  readonly #caller: HttpCaller;

  constructor(target: HttpTarget) {
    this.#caller = new HttpCaller(target);
  }

  [Symbol.dispose](): void {
    this.#caller[Symbol.dispose]();
  }

  async createKernel(spec: KernelSpec, signal: AbortSignal): Promise<StartedKernel> {
    const call: HttpCall = { method: 'POST', path: '/kernels', body: createBody(spec), timeoutMs: CREATE_MS, signal };
    try {
      return await this.#read(documents.startedKernel, call);
    } catch (error) {
      // The agent goes on creating when we stop listening; nobody would know of that kernel.
      if (signal.aborted || isLost(error)) {
        await this.destroyKernel(spec.kernelId, AbortSignal.timeout(DESTROY_MS)).catch(() => undefined);
      }
      throw error;
    }
  }

  restartKernel(kernelId: KernelId, signal: AbortSignal): Promise<StartedKernel> {
    const path = `/kernels/${kernelId}/restart`;
    return this.#read(documents.startedKernel, { method: 'POST', path, timeoutMs: CREATE_MS, signal });
  }

  async destroyKernel(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    const path = `/kernels/${kernelId}?reason=user-requested`;
    await this.#caller.json({ method: 'DELETE', path, timeoutMs: DESTROY_MS, signal });
  }

  execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult> {
    const { kernelId, runId, mode, code, batch, flushTimeoutMs } = request;
    const body = {
      mode,
      code,
      ...(runId === null ? {} : { run_id: runId }),
      ...(batch === undefined ? {} : { batch }),
      ...(flushTimeoutMs === null ? {} : { flush_timeout_ms: flushTimeoutMs }),
    };
    const timeoutMs = flushTimeoutMs === null ? EXECUTE_MAX_MS : flushTimeoutMs + EXECUTE_SLACK_MS;
    return this.#read(documents.executionResult, {
      method: 'POST',
      path: `/kernels/${kernelId}/execute`,
      body,
      timeoutMs,
      signal,
    });
  }

  async interrupt(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    await this.#caller.json({ method: 'POST', path: `/kernels/${kernelId}/interrupt`, timeoutMs: QUICK_MS, signal });
  }

  async *logs(
    kernelId: KernelId,
    { follow, tail }: { readonly follow: boolean; readonly tail?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const query = new URLSearchParams({
      follow: follow ? '1' : '0',
      ...(tail === undefined ? {} : { tail: String(tail) }),
    });
    const path = `/kernels/${kernelId}/logs?${query.toString()}`;
    yield* this.#stream({ method: 'GET', path, timeoutMs: QUICK_MS, signal });
  }

  listKernels(signal: AbortSignal): Promise<readonly KernelView[]> {
    return this.#read(documents.kernelViews, { method: 'GET', path: '/kernels', timeoutMs: QUICK_MS, signal });
  }

  async usage(kernelId: KernelId, signal: AbortSignal): Promise<RunUsage | undefined> {
    const path = `/kernels/${kernelId}/usage`;
    const { usage } = await this.#read(documents.usageAnswer, { method: 'GET', path, timeoutMs: QUICK_MS, signal });
    return usage ?? undefined;
  }

  status(signal: AbortSignal): Promise<AgentStatus> {
    return this.#read(documents.agentStatus, { method: 'GET', path: '/status', timeoutMs: QUICK_MS, signal });
  }

  health(signal: AbortSignal): Promise<HealthReport> {
    return this.#read(documents.healthReport, { method: 'GET', path: '/health', timeoutMs: QUICK_MS, signal });
  }

  async *events({ follow, kernelId, since = 0 }: EventQuery, signal: AbortSignal): AsyncIterable<SeenEvent> {
    const query = new URLSearchParams({
      follow: follow ? '1' : '0',
      since: String(since),
      ...(kernelId === undefined ? {} : { kernel_id: kernelId }),
    });
    const path = `/events?${query.toString()}`;
    for await (const data of eventData(this.#stream({ method: 'GET', path, timeoutMs: QUICK_MS, signal }))) {
      const event = documents.eventDocument.safeParse(parseJson(data));
      // A `gap` notice has another shape; what is missing can't be shown anyway.
      if (event.success) yield event.data;
    }
  }

  /** Ends quietly when the signal fires. */
  async *#stream(call: HttpCall): AsyncIterable<Uint8Array> {
    try {
      yield* (await this.#caller.stream(call)) as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (call.signal.aborted || isAbortError(error)) return;
      if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
        throw agentUnreachable('the agent cut the stream', {
          hint: 'look whether it still runs: backend.ai ag status',
          cause: error,
        });
      throw error;
    }
  }

  async #read<T>(shape: z.ZodType<T>, call: HttpCall): Promise<T> {
    const parsed = shape.safeParse(await this.#caller.json(call));
    if (parsed.success) return parsed.data;
    const at = (parsed.error.issues[0]?.path ?? []).map(String).join('.');
    throw agentUnreachable(`the agent's answer to ${call.method} ${call.path} has an unknown shape at '${at}'`, {
      hint: 'the agent and this command are of different versions; restart the agent',
    });
  }
}

function isLost(error: unknown): boolean {
  return isAgentError(error) && [agentUnreachable('').name, deadlineExceeded('').name].includes(error.name);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The part of a specification that the command line sets. */
function createBody(spec: KernelSpec): Record<string, unknown> {
  return {
    kernel_id: spec.kernelId,
    session_id: spec.sessionId,
    image: spec.image.canonical,
    auto_pull: spec.image.autoPull,
    resource_slots: spec.resourceSlots,
    environ: spec.environ,
    mounts: spec.mounts.map(({ name, hostPath, kernelPath, permission }) => ({
      ...{ name, source: hostPath, target: kernelPath, permission },
    })),
    preopen_ports: spec.preopenPorts,
  };
}
