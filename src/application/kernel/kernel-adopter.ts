import { inject, injectable } from 'inversify';
import { Logger } from '../ports/logger.port.js';
import type { LiveKernel } from './live-kernel.js';
import { Provisioners } from './provision/provisioner.js';

/** Takes over a container that outlived the agent: every stage finds again what it had made. */
@injectable()
export class KernelAdopter {
  constructor(
    @inject(Provisioners) private readonly stages: Provisioners,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Before the engine is asked anything: what the record holds is in use until the contrary is shown. */
  restore(live: LiveKernel): void {
    live.reached = this.stages.length - 1;
    for (const stage of this.stages) stage.restore?.(live);
  }

  async adopt(live: LiveKernel, containerId: string, signal: AbortSignal): Promise<void> {
    live.kernel.containerId = containerId;
    for (const stage of this.stages) {
      await stage.adopt?.(live, { signal });
    }
    this.logger.info('kernel adopted', { kernel_id: live.kernel.id, container_id: containerId });
  }
}
