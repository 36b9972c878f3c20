import { inject, injectable } from 'inversify';
import { kernelRunnerNotInitialized } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { ContainerEngine, type LogOptions } from '../ports/container-engine.port.js';
import { KernelRegistry } from './kernel-registry.js';

/** The container log of a kernel, as it was written. */
@injectable()
export class ReadLogs {
  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
  ) {}

  execute(kernelId: KernelId, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const { kernel } = this.registry.get(kernelId);
    if (kernel.containerId === null) {
      throw kernelRunnerNotInitialized(`kernel ${kernelId} is ${kernel.state} and has no container yet`);
    }
    return this.engine.containerLogs(kernel.containerId, options, { signal });
  }
}
