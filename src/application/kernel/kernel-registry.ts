import { injectable } from 'inversify';
import { kernelNotFound } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { LiveKernel } from './live-kernel.js';

/** How many kernels that are gone are remembered. */
const MAX_DEPARTED = 4_096;

/** The kernels of this agent, in memory. */
@injectable()
export class KernelRegistry {
  readonly #kernels = new Map<KernelId, LiveKernel>();
  /** The newest ones last. */
  readonly #departed = new Set<KernelId>();
  readonly #sweeps = new Map<KernelId, Promise<void>>();

  add(live: LiveKernel): void {
    this.#kernels.set(live.kernel.id, live);
  }

  delete(live: LiveKernel): void {
    const { id } = live.kernel;
    if (this.#kernels.get(id) !== live) return;
    this.#kernels.delete(id);
    this.#departed.delete(id);
    this.#departed.add(id);
    const [oldest] = this.#departed;
    if (this.#departed.size > MAX_DEPARTED && oldest !== undefined) this.#departed.delete(oldest);
  }

  /** A kernel of this id ended lately, and its end was told. */
  hasDeparted(id: KernelId): boolean {
    return this.#departed.has(id);
  }

  /** Removes what nobody owns; no kernel of that id is made meanwhile. Does nothing if there is one. */
  async sweep(id: KernelId, work: () => Promise<void>): Promise<void> {
    if (this.#kernels.has(id)) return;
    const sweep = (this.#sweeps.get(id) ?? Promise.resolve()).then(work);
    const over = sweep.then(nothing, nothing).finally(() => {
      if (this.#sweeps.get(id) === over) this.#sweeps.delete(id);
    });
    this.#sweeps.set(id, over);
    await sweep;
  }

  /** Resolves when what is being swept for this id, if anything is, is gone. */
  sweepOf(id: KernelId): Promise<void> | undefined {
    return this.#sweeps.get(id);
  }

  find(id: KernelId): LiveKernel | undefined {
    return this.#kernels.get(id);
  }

  get(id: KernelId): LiveKernel {
    const live = this.#kernels.get(id);
    if (live) return live;
    throw kernelNotFound(`no kernel ${id} on this agent`, {
      field: 'kernel_id',
      hint: 'list the kernels with `backend.ai ag kernels`',
    });
  }

  all(): readonly LiveKernel[] {
    return [...this.#kernels.values()];
  }
}

const nothing = () => undefined;
