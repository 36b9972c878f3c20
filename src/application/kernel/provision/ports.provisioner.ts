import { inject, injectable } from 'inversify';
import { parseImageLabels } from '../../../domain/image/image-labels.js';
import {
  assignHostPorts,
  countNeededPorts,
  planServicePorts,
} from '../../../domain/service-port/plan-service-ports.js';
import { assignedSshPort, clusterNetwork } from '../../../domain/network/cluster-network.js';
import { PortPool } from '../../../domain/service-port/port-pool.js';
import type { ServicePort } from '../../../domain/service-port/service-port.js';
import { AgentSettings } from '../../agent-settings.js';
import { AssignedPorts } from '../../network/assigned-ports.js';
import { Clock } from '../../ports/clock.port.js';
import { HostPorts } from '../../ports/host-ports.port.js';
import { Logger } from '../../ports/logger.port.js';
import { RunnerRuntime } from '../../ports/runner-runtime.port.js';
import type { LiveKernel } from '../live-kernel.js';
import type { Provisioner } from './provisioner.js';

/** The runner is spoken to from this machine alone. */
const RUNNER_HOST_IP = '127.0.0.1';
const SSH_SERVICE = 'sshd';

/**
 * One host port for each port that the container publishes. The agent binds it at once, so that nobody else can take
 * it, and lets go right before the engine binds it (StartProvisioner).
 */
@injectable()
export class PortsProvisioner implements Provisioner {
  readonly name = 'ports';
  readonly onRestart = 'keep';

  constructor(
    @inject(PortPool) private readonly pool: PortPool,
    @inject(RunnerRuntime) private readonly runtime: RunnerRuntime,
    @inject(HostPorts) private readonly hostPorts: HostPorts,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
    @inject(AssignedPorts) private readonly assigned: AssignedPorts,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async setup(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    const labels = parseImageLabels({ ...live.image?.labels, ...kernel.spec.image.labels });
    const planned = planServicePorts({
      clusterRole: kernel.spec.clusterRole,
      preopenPorts: kernel.spec.preopenPorts,
      servicePortsLabel: labels.servicePorts,
      endpointNames: labels.endpointNames,
      allocatedHostPorts: [],
      intrinsic: this.runtime.services,
    });
    // First of all, before one of the others happens to be the same.
    const services = await this.#withAssignedPort(live, planned);
    const assigned = services.flatMap((service) => service.hostPorts);
    const hostPorts: number[] = [];
    try {
      kernel.replInPort = await this.#claim(live, RUNNER_HOST_IP);
      kernel.replOutPort = await this.#claim(live, RUNNER_HOST_IP);
      while (hostPorts.length < countNeededPorts(services)) {
        hostPorts.push(await this.#claim(live, this.settings.container.bindHost));
      }
    } catch (error) {
      this.#giveBack([...assigned, ...hostPorts]);
      throw error;
    }
    kernel.servicePorts = assignHostPorts(services, hostPorts);
    // On the host's own network a service listens on its host port itself (lifecycle.md §9.2).
    if (clusterNetwork(kernel.spec.cluster.networkConfig).kind === 'host') {
      kernel.servicePorts = kernel.servicePorts.map((port) => ({ ...port, containerPorts: port.hostPorts }));
    }
  }

  async teardown(live: LiveKernel): Promise<void> {
    await Promise.all(live.portHolds.splice(0).map((hold) => hold[Symbol.asyncDispose]()));
  }

  release({ kernel }: LiveKernel): void {
    this.#giveBack(kernel.hostPorts());
    kernel.replInPort = 0;
    kernel.replOutPort = 0;
    kernel.servicePorts = [];
  }

  restore({ kernel }: LiveKernel): void {
    for (const port of kernel.hostPorts()) this.pool.claim(port);
  }

  /** SSH of a cluster's member is where the others were told it is, if that port can still be had. */
  async #withAssignedPort(live: LiveKernel, services: readonly ServicePort[]): Promise<readonly ServicePort[]> {
    const port = assignedSshPort(live.kernel.spec);
    if (port === undefined) return services;
    if (!services.some(({ name }) => name === SSH_SERVICE)) {
      this.assigned.release(port);
      return services;
    }
    const hold = await this.assigned.claim(port);
    if (!hold) {
      this.logger.warn(`port ${port}, assigned for SSH, is not free any more`, { kernel_id: live.kernel.id });
      return services;
    }
    live.portHolds.push(hold);
    return services.map((service) => (service.name === SSH_SERVICE ? { ...service, hostPorts: [port] } : service));
  }

  /** The next port that nobody listens on; those found busy rest for a cool-down before they are tried again. */
  async #claim(live: LiveKernel, hostIp: string): Promise<number> {
    const tried: number[] = [];
    try {
      for (;;) {
        const port = this.pool.take(this.clock.monotonic());
        tried.push(port);
        const hold = await this.hostPorts.hold(port, hostIp);
        if (!hold) continue;
        live.portHolds.push(hold);
        tried.pop();
        return port;
      }
    } finally {
      this.#giveBack(tried);
    }
  }

  #giveBack(ports: readonly number[]): void {
    const now = this.clock.monotonic();
    for (const port of ports) this.pool.release(port, now);
  }
}
