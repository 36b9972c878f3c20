import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { imageCommitFailed } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { Clock } from '../ports/clock.port.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';

/** state.md §1.4. */
const REPEAT_MS = 7_000;
const TTL_SECONDS = 13;

/** Which kernels are being committed: at most one commit of a kernel at a time, and others can see it. */
@injectable()
export class CommitStatus {
  readonly #ongoing = new Map<KernelId, string>();

  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(StateStore) private readonly state: StateStore,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Throws KernelNotFoundError. */
  of(kernelId: KernelId, subfolder: string): 'ready' | 'ongoing' {
    const ongoing = this.#ongoing.get(kernelId);
    // A commit may take longer than its kernel lives.
    if (ongoing === undefined) this.registry.get(kernelId);
    return ongoing === subfolder ? 'ongoing' : 'ready';
  }

  /** Until it is disposed of, the kernel is being committed. @throws ImageCommitError if it is already */
  hold(kernelId: KernelId, subfolder: string): AsyncDisposable {
    if (this.#ongoing.has(kernelId)) {
      throw imageCommitFailed(`kernel ${kernelId} is already being committed`, {
        retryable: true,
        hint: 'wait until the commit under way is over',
      });
    }
    this.#ongoing.set(kernelId, subfolder);
    const over = new AbortController();
    const telling = this.#keepTelling(kernelId, over.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        over.abort();
        this.#ongoing.delete(kernelId);
        await telling;
      },
    };
  }

  async #keepTelling(kernelId: KernelId, signal: AbortSignal): Promise<void> {
    const key = `kernel.${kernelId}.commit`;
    while (!signal.aborted) {
      await this.#attempt(kernelId, () => this.state.set('statistics', key, 'ongoing', TTL_SECONDS));
      await this.clock.sleep(REPEAT_MS, signal).catch(() => undefined);
    }
    await this.#attempt(kernelId, () => this.state.delete('statistics', [key]));
  }

  /** Whoever looks there finds it next time; without a refresh it goes by itself. */
  async #attempt(kernelId: KernelId, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.logger.debug(`the commit status was not written: ${messageOf(error)}`, { kernel_id: kernelId });
    }
  }
}
