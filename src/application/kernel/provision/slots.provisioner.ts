import { inject, injectable } from 'inversify';
import { ResourceBook } from '../../../domain/resource/allocator.js';
import { AgentSettings } from '../../agent-settings.js';
import { EventBus } from '../../ports/event-bus.port.js';
import { Logger } from '../../ports/logger.port.js';
import type { LiveKernel } from '../live-kernel.js';
import type { Provisioner } from './provisioner.js';

/** Devices are the kernel's own in the book, all of them or none. */
@injectable()
export class SlotsProvisioner implements Provisioner {
  readonly name = 'slots';
  readonly onRestart = 'keep';

  constructor(
    @inject(ResourceBook) private readonly book: ResourceBook,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async setup({ kernel }: LiveKernel): Promise<void> {
    try {
      kernel.allocation = this.book.allocate(kernel.id, kernel.slots, {
        allowFractionalFragmentation: kernel.spec.allowFractionalFragmentation,
      });
    } catch (error) {
      await this.events.announce({ name: 'do_agent_resource_check', body: { agent_id: this.settings.agentId } });
      throw error;
    }
  }

  teardown(): Promise<void> {
    return Promise.resolve();
  }

  release({ kernel }: LiveKernel): void {
    this.book.release(kernel.id);
  }

  restore({ kernel }: LiveKernel): void {
    for (const problem of this.book.restore(kernel.id, kernel.allocation)) {
      this.logger.warn(`recovered allocation: ${problem}`, { kernel_id: kernel.id });
    }
  }
}
