import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerTeardownIncomplete } from '../../domain/error/errors.js';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { gpuShares } from '../../domain/resource/gpu-shares.js';
import { AgentSettings } from '../agent-settings.js';
import { waitFor } from '../concurrency/wait-for.js';
import { DestroyKernel } from '../kernel/destroy-kernel.use-case.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { type AcceleratorPlugin, AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { Clock } from '../ports/clock.port.js';
import { Logger } from '../ports/logger.port.js';
import type { HardwareInfo, NodeUseCases } from '../use-cases.js';
import { NodeResourceGroup } from './node-resource-group.js';

/** Tools of hardware vendors may hang. */
const HARDWARE_DEADLINE_MS = 10_000;
/** All kernels end side by side, and one has this long for its programs and its scratch. */
const RESET_DEADLINE_MS = 300_000;

/** What is asked of the node itself (rpc.md §6.2, §6.16, §6.17). */
@injectable()
export class NodeRequests implements NodeUseCases {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(ResourceBook) private readonly book: ResourceBook,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(DestroyKernel) private readonly destroy: DestroyKernel,
    @inject(NodeResourceGroup) private readonly resourceGroup: NodeResourceGroup,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async hardware(signal: AbortSignal): Promise<readonly HardwareInfo[]> {
    const reports = await Promise.all(this.plugins.map((plugin) => this.#hardwareOf(plugin, signal)));
    return reports.filter((report) => report !== undefined);
  }

  gpuAllocations(): Readonly<Record<string, string>> {
    const kernels = this.registry.all().map(({ kernel }) => kernel);
    const devices = kernels.flatMap(({ id }) => this.book.devicesOf(id));
    return gpuShares(
      kernels.map(({ allocation }) => allocation),
      (slotName, deviceId) =>
        devices.find((device) => device.slotName === slotName && device.deviceId === deviceId)?.amount,
      (deviceId) => this.logger.warn(`a kernel has a share of GPU ${deviceId}, which this node does not have`),
    );
  }

  abuseReportPath(): string {
    return this.settings.abuseReportPath ?? '';
  }

  /** Rejects with ContainerTeardownIncompleteError if something is left; the agent goes on trying by itself. */
  async reset(signal: AbortSignal): Promise<void> {
    using deadline = this.clock.deadline(RESET_DEADLINE_MS, signal);
    const kernels = this.registry.all().map(({ kernel }) => kernel);
    const outcomes = await Promise.allSettled(
      kernels.map(({ id: kernelId, sessionId }) =>
        this.destroy.execute(
          { kernelId, sessionId, reason: 'agent-termination', suppressEvents: false },
          deadline.signal,
        ),
      ),
    );
    signal.throwIfAborted();
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    if (failures.length === 0) return;
    throw containerTeardownIncomplete(
      `${failures.length} of ${kernels.length} kernels could not be destroyed yet: ${messageOf(failures[0])}`,
      { hint: 'the agent tries again by itself', cause: new AggregateError(failures) },
    );
  }

  changeResourceGroup(name: string): Promise<void> {
    return this.resourceGroup.change(name);
  }

  async #hardwareOf(plugin: AcceleratorPlugin, signal: AbortSignal): Promise<HardwareInfo | undefined> {
    if (!plugin.hardware) return undefined;
    using deadline = this.clock.deadline(HARDWARE_DEADLINE_MS, signal);
    try {
      const report = await waitFor(plugin.hardware({ signal: deadline.signal }), deadline.signal);
      return { deviceName: plugin.key, ...report };
    } catch (error) {
      signal.throwIfAborted();
      const statusInfo = deadline.expired ? `no answer within ${HARDWARE_DEADLINE_MS} ms` : messageOf(error);
      return { deviceName: plugin.key, status: 'unavailable', statusInfo, metadata: {} };
    }
  }
}
