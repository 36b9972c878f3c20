import { inject, injectable } from 'inversify';
import { containerStartupCancelled } from '../../domain/error/errors.js';
import { waitFor } from '../concurrency/wait-for.js';
import { EventBus } from '../ports/event-bus.port.js';
import type { DestroyRequest } from '../use-cases.js';
import { KernelRegistry } from './kernel-registry.js';
import { KernelTerminator } from './kernel-terminator.js';
import type { LiveKernel } from './live-kernel.js';

/**
 * Ends a kernel in whatever state it is (rpc.md §6.6); returns when nothing of it is left. Firing the signal ends the
 * wait, not the work.
 */
@injectable()
export class DestroyKernel {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(KernelTerminator) private readonly terminator: KernelTerminator,
    @inject(EventBus) private readonly events: EventBus,
  ) {}

  async execute(request: DestroyRequest, signal: AbortSignal): Promise<void> {
    const live = this.registry.find(request.kernelId);
    await (live ? waitFor(this.#destroy(live, request), signal) : this.#tellUnknown(request));
  }

  async #destroy(live: LiveKernel, request: DestroyRequest): Promise<void> {
    live.kernel.endsSilently ||= request.suppressEvents;
    live.kernel.recordReason(request.reason);
    const underWay = live.creation ?? live.restart;
    if (underWay) {
      live.giveUp(containerStartupCancelled(`the kernel was destroyed while it was being made: ${request.reason}`));
      // Its own failure is its caller's to hear.
      await underWay.catch(() => undefined);
    }
    await this.terminator.terminate(live, request.reason);
  }

  async #tellUnknown(request: DestroyRequest): Promise<void> {
    if (request.suppressEvents || !request.sessionId) return;
    await this.events.announce({
      name: 'kernel_terminated',
      body: {
        kernel_id: request.kernelId,
        session_id: request.sessionId,
        reason: 'already-terminated',
        exit_code: -1,
      },
    });
  }
}
