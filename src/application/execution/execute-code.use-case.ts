import { inject, injectable } from 'inversify';
import { kernelRunnerNotInitialized } from '../../domain/error/errors.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { EventBus } from '../ports/event-bus.port.js';
import type { ExecuteRequest } from '../use-cases.js';
import type { RunSession } from './run-session.js';

/** Runs code in a kernel, and what belongs to it (rpc.md §6.9, §6.11). A restart under way is waited for. */
@injectable()
export class ExecuteCode {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(EventBus) private readonly events: EventBus,
  ) {}

  async execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult> {
    const session = await this.#session(request.kernelId);
    const body = { session_id: this.registry.get(request.kernelId).kernel.sessionId };
    await this.events.announce({ name: 'execution_started', body });
    const result = await session.execute(request, signal);
    if (result.status === 'finished') await this.events.announce({ name: 'execution_finished', body });
    return result;
  }

  async interrupt(kernelId: KernelId): Promise<void> {
    await (await this.#session(kernelId)).interrupt();
  }

  async complete(
    kernelId: KernelId,
    code: string,
    options: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return (await this.#session(kernelId)).complete(code, options, { signal });
  }

  async #session(kernelId: KernelId): Promise<RunSession> {
    const live = this.registry.get(kernelId);
    await live.restart;
    if (live.session) return live.session;
    throw kernelRunnerNotInitialized(`kernel ${kernelId} is ${live.kernel.state} and takes no code`, {
      field: 'kernel_id',
      allowed: 'a kernel that is RUNNING',
    });
  }
}
