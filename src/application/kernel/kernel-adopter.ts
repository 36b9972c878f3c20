import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { RunBatch } from '../execution/run-batch.use-case.js';
import { Logger } from '../ports/logger.port.js';
import type { LiveKernel } from './live-kernel.js';
import { Provisioners } from './provision/provisioner.js';

/** Takes over a container that outlived the agent: every stage finds again what it had made. */
@injectable()
export class KernelAdopter {
  constructor(
    @inject(Provisioners) private readonly stages: Provisioners,
    @inject(RunBatch) private readonly batches: RunBatch,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Before the engine is asked anything: what the record holds is in use until the contrary is shown. */
  restore(live: LiveKernel): void {
    live.reached = this.stages.length - 1;
    for (const stage of this.stages) {
      try {
        stage.restore?.(live);
      } catch (error) {
        this.logger.error(`could not restore ${stage.name}: ${messageOf(error)}`, { kernel_id: live.kernel.id });
      }
    }
  }

  /** Terminating the kernel gives the adoption up. */
  async adopt(live: LiveKernel, containerId: string, signal: AbortSignal): Promise<void> {
    live.adoption = this.#adopt(live, containerId, AbortSignal.any([signal, live.signal])).finally(() => {
      live.adoption = undefined;
    });
    await live.adoption;
  }

  async #adopt(live: LiveKernel, containerId: string, signal: AbortSignal): Promise<void> {
    live.kernel.containerId = containerId;
    for (const stage of this.stages) {
      signal.throwIfAborted();
      await stage.adopt?.(live, { signal });
    }
    this.batches.resume(live);
    this.logger.info('kernel adopted', { kernel_id: live.kernel.id, container_id: containerId });
  }
}
