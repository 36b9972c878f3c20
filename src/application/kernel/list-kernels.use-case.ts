import { inject, injectable } from 'inversify';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { publicServices } from '../../domain/service-port/plan-service-ports.js';
import { AgentSettings } from '../agent-settings.js';
import type { KernelView } from '../use-cases.js';
import { KernelRegistry } from './kernel-registry.js';
import type { LiveKernel } from './live-kernel.js';

@injectable()
export class ListKernels {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(AgentSettings) private readonly settings: AgentSettings,
  ) {}

  execute(): readonly KernelView[] {
    return this.registry.all().map((live) => this.#view(live));
  }

  one(kernelId: KernelId): KernelView {
    return this.#view(this.registry.get(kernelId));
  }

  #view({ kernel }: LiveKernel): KernelView {
    return {
      kernelId: kernel.id,
      sessionId: kernel.sessionId,
      state: kernel.state,
      image: kernel.spec.image.canonical,
      containerId: kernel.containerId,
      slots: kernel.slots,
      servicePorts: publicServices(kernel.servicePorts),
      kernelHost: this.settings.container.advertisedHost,
      createdAtMs: kernel.createdAtMs,
      startedAtMs: kernel.startedAtMs,
      notice: kernel.notice,
    };
  }
}
