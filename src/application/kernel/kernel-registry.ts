import { injectable } from 'inversify';
import { kernelNotFound } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { LiveKernel } from './live-kernel.js';

/** The kernels of this agent, in memory. */
@injectable()
export class KernelRegistry {
  readonly #kernels = new Map<KernelId, LiveKernel>();

  add(live: LiveKernel): void {
    this.#kernels.set(live.kernel.id, live);
  }

  delete(live: LiveKernel): void {
    if (this.#kernels.get(live.kernel.id) === live) this.#kernels.delete(live.kernel.id);
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
