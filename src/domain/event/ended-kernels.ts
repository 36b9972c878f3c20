import type { KernelId } from '../kernel/kernel-id.js';
import { type AgentEvent, kernelOf } from './agent-event.js';

/** How many ends are remembered: far more than kernels that can be between their end and being forgotten. */
const MAX_ENDED = 4_096;

/**
 * The kernels whose end was told: it is told once, and nothing of a kernel is told after its end, except that the log of
 * its container is there: a store that was away holds up no end. A kernel that is made anew under the same id begins a new
 * life with `kernel_preparing`.
 */
export class EndedKernels {
  /** The newest ones last. */
  readonly #ended: Set<KernelId>;

  constructor(ended: Iterable<KernelId> = []) {
    this.#ended = new Set(ended);
  }

  /**
   * Whether the event may be told; if so it counts as told. `already-terminated` answers a Manager that does not know of
   * the end, so it is told again unless the end still waits to be sent (`endWaits`).
   */
  admit(event: AgentEvent, endWaits: (id: KernelId) => boolean): boolean {
    const id = kernelOf(event);
    if (id === undefined || event.name === 'do_sync_kernel_logs') return true;
    if (event.name === 'kernel_preparing') {
      this.#ended.delete(id);
      return true;
    }
    if (!this.#ended.has(id)) {
      if (event.name === 'kernel_terminated') this.#remember(id);
      return true;
    }
    return event.name === 'kernel_terminated' && event.body.reason === 'already-terminated' && !endWaits(id);
  }

  get size(): number {
    return this.#ended.size;
  }

  /** The oldest first. */
  ids(): readonly KernelId[] {
    return [...this.#ended];
  }

  #remember(id: KernelId): void {
    this.#ended.add(id);
    const [oldest] = this.#ended;
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }
}
