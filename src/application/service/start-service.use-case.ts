import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { kernelRunnerNotInitialized } from '../../domain/error/errors.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { ServiceResult } from '../../domain/krunner-wire/krunner-wire.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { ServiceOptions } from '../use-cases.js';

/** More than the 30 s that a runner gives a service to open its port (krunner.md §3.8). */
const REPLY_DEADLINE_MS = 35_000;

/** Starts a service in a kernel (krunner.md §3.10); what goes wrong there is a result, not an error. */
@injectable()
export class StartService {
  constructor(@inject(KernelRegistry) private readonly registry: KernelRegistry) {}

  async execute(
    kernelId: KernelId,
    name: string,
    options: ServiceOptions,
    signal: AbortSignal,
  ): Promise<ServiceResult> {
    const { kernel, runner } = this.registry.get(kernelId);
    if (kernel.spec.blockServicePorts) return { status: 'failed', error: 'operation blocked' };
    const service = kernel.servicePorts.find((port) => port.name === name);
    const port = service?.containerPorts[0];
    if (!service || port === undefined) return { status: 'failed', error: 'invalid service name' };
    if (!runner) throw kernelRunnerNotInitialized(`kernel ${kernelId} is ${kernel.state} and starts no service`);
    try {
      return await runner.startService(
        { name, port, ports: service.containerPorts, protocol: service.protocol, options },
        { signal, timeoutMs: REPLY_DEADLINE_MS },
      );
    } catch (error) {
      signal.throwIfAborted();
      const timedOut = error instanceof Error && error.name === 'TimeoutError';
      return { status: 'failed', error: timedOut ? 'timeout' : messageOf(error) };
    }
  }
}
