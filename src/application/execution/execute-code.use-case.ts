import { inject, injectable } from 'inversify';
import { kernelRunnerNotInitialized } from '../../domain/error/errors.js';
import type { ExecutionResult } from '../../domain/execution/execution.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { waitFor } from '../concurrency/wait-for.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { SampleUsage } from '../statistics/sample-usage.use-case.js';
import type { ExecuteRequest } from '../use-cases.js';
import type { RunSession } from './run-session.js';

/** A run that is polled is told to be active so often: event buses keep a limited number of events. */
const REPEAT_STARTED_MS = 10_000;

/** Runs code in a kernel, and what belongs to it (rpc.md §6.9, §6.11). A restart under way is waited for. */
@injectable()
export class ExecuteCode {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(EventBus) private readonly events: EventBus,
    @inject(SampleUsage) private readonly usage: SampleUsage,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  async execute(request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult> {
    const { kernelId, mode } = request;
    const session = await this.#session(kernelId, signal);
    const live = this.registry.get(kernelId);
    const { kernel } = live;
    const body = { session_id: kernel.sessionId };
    if (mode === 'query' || mode === 'batch') {
      // Kills that nobody was told of yet belong to what ran before.
      this.usage.of(kernelId);
      kernel.notice = null;
    }
    const now = this.clock.monotonic();
    // Taken over in this order, stored while the code already runs.
    let told: Promise<void> | undefined;
    if (mode !== 'continue' || now - live.activeToldAtMs >= REPEAT_STARTED_MS) {
      live.activeToldAtMs = now;
      told = this.events.announce({ name: 'execution_started', body });
    }
    const [result] = await Promise.all([session.execute(request, signal), told]);
    // Known with the result, and not when the next sample or the engine comes to tell it.
    if (result.status === 'finished' && result.exitCode !== 0) this.usage.of(kernelId);
    if (result.status === 'finished') await this.events.announce({ name: 'execution_finished', body });
    return result;
  }

  async interrupt(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    await (await this.#session(kernelId, signal)).interrupt();
  }

  async complete(
    kernelId: KernelId,
    code: string,
    options: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return (await this.#session(kernelId, signal)).complete(code, options, { signal });
  }

  async #session(kernelId: KernelId, signal: AbortSignal): Promise<RunSession> {
    const live = this.registry.get(kernelId);
    if (live.restart) await waitFor(live.restart, signal);
    if (live.session) return live.session;
    throw kernelRunnerNotInitialized(`kernel ${kernelId} is ${live.kernel.state} and takes no code`, {
      field: 'kernel_id',
      allowed: 'a kernel that is RUNNING',
    });
  }
}
