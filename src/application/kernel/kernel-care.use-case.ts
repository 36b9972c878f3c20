import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { agentNotReady } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { AgentSettings } from '../agent-settings.js';
import { Readiness } from '../agent/readiness.js';
import { waitFor } from '../concurrency/wait-for.js';
import { RunBatch } from '../execution/run-batch.use-case.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Logger } from '../ports/logger.port.js';
import type { KernelCareUseCases, KernelRef } from '../use-cases.js';
import { DestroyKernel } from './destroy-kernel.use-case.js';
import { KernelRegistry } from './kernel-registry.js';
import type { LiveKernel } from './live-kernel.js';

/** A runner that is busy still answers at once. */
const PING_DEADLINE_MS = 10_000;
const SHUTDOWN_DEADLINE_MS = 5_000;
/**
 * A Manager's list is made of what its database says when the call is composed; a kernel that started since then, or
 * whose start is not yet in that database, is not in it and must live.
 */
const SETTLED_MS = 60_000;

/** The rarer requests about kernels (rpc.md §6.3, §6.8, §6.10, §6.12). */
@injectable()
export class KernelCare implements KernelCareUseCases {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(Readiness) private readonly readiness: Readiness,
    @inject(DestroyKernel) private readonly destroy: DestroyKernel,
    @inject(RunBatch) private readonly batch: RunBatch,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  isCreating(kernelId: KernelId): boolean {
    return this.registry.find(kernelId) !== undefined;
  }

  isRunning(kernelId: KernelId): boolean {
    this.#mustBeReady();
    const state = this.registry.find(kernelId)?.kernel.state;
    // To the Manager a restart is part of its running: on a "no" it would end the kernel.
    return state === 'RUNNING' || state === 'RESTARTING';
  }

  async ping(kernelId: KernelId, signal: AbortSignal): Promise<{ readonly startedAt: number } | null> {
    const { runner } = this.registry.get(kernelId);
    if (!runner) return null;
    try {
      const { startedAt } = await runner.status({ signal, timeoutMs: PING_DEADLINE_MS });
      return { startedAt };
    } catch (error) {
      signal.throwIfAborted();
      this.logger.info(`the runner did not answer: ${messageOf(error)}`, { kernel_id: kernelId });
      return null;
    }
  }

  async syncRegistry(listed: readonly KernelRef[]): Promise<void> {
    this.#mustBeReady();
    const wanted = new Map(listed.map((ref) => [ref.kernelId, ref]));
    // Both sides as they are now: the registry goes on changing while events are written.
    const unknown = [...wanted.values()].filter(({ kernelId }) => !this.registry.find(kernelId));
    const listedHere = this.registry.all().filter(({ kernel }) => wanted.has(kernel.id));
    const addresses = new Set(listedHere.map(({ kernel }) => kernel.spec.agentAddr));
    if (addresses.size === 0) addresses.add(this.settings.advertisedRpcAddress);
    const unwanted = this.registry.all().filter((live) => {
      const { id, spec } = live.kernel;
      return !wanted.has(id) && addresses.has(spec.agentAddr) && this.#isSettled(live);
    });
    for (const { kernel } of unwanted) this.#destroySilently(kernel.id);
    for (const { kernelId, sessionId } of unknown) {
      await this.events.announce({
        name: 'kernel_terminated',
        body: { kernel_id: kernelId, session_id: sessionId, reason: 'already-terminated', exit_code: -1 },
      });
    }
  }

  triggerBatch(...[request, signal]: Parameters<KernelCareUseCases['triggerBatch']>): Promise<void> {
    return this.batch.execute(request, signal);
  }

  async shutdownService(kernelId: KernelId, service: string, signal: AbortSignal): Promise<void> {
    const runner = this.registry.find(kernelId)?.runner;
    if (!runner) return;
    using deadline = this.clock.deadline(SHUTDOWN_DEADLINE_MS, signal);
    try {
      await waitFor(runner.shutdownService(service), deadline.signal);
    } catch (error) {
      this.logger.info(`service ${service} was not stopped: ${messageOf(error)}`, { kernel_id: kernelId });
    }
  }

  /** "No" and "nothing here" are believed: sessions that live would be ended. */
  #mustBeReady(): void {
    if (this.readiness.ready) return;
    throw agentNotReady('this agent does not know its kernels yet, or is leaving', { hint: 'ask again in a moment' });
  }

  #isSettled({ kernel, creation, restart, termination }: LiveKernel): boolean {
    if (creation ?? restart ?? termination) return false;
    return this.clock.now() - (kernel.startedAtMs ?? kernel.createdAtMs) >= SETTLED_MS;
  }

  #destroySilently(kernelId: KernelId): void {
    this.logger.warn('the Manager does not know this kernel: it is destroyed', { kernel_id: kernelId });
    const request = { kernelId, reason: 'not-found-in-manager', suppressEvents: true } as const;
    this.destroy.execute(request, new AbortController().signal).catch((error: unknown) => {
      this.logger.error(messageOf(error), { kernel_id: kernelId });
    });
  }
}
