import { inject, injectable } from 'inversify';
import type { KernelState } from '../../domain/kernel/kernel-state.js';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { PortPool } from '../../domain/service-port/port-pool.js';
import { AgentSettings } from '../agent-settings.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { AgentStatus } from '../use-cases.js';
import { HealthMonitor } from './health-monitor.js';
import { Readiness } from './readiness.js';

@injectable()
export class ReportStatus {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(ResourceBook) private readonly book: ResourceBook,
    @inject(PortPool) private readonly ports: PortPool,
    @inject(HealthMonitor) private readonly health: HealthMonitor,
    @inject(Readiness) private readonly readiness: Readiness,
  ) {}

  execute(): AgentStatus {
    const kernels: Record<KernelState, number> = {
      PREPARING: 0,
      RUNNING: 0,
      RESTARTING: 0,
      TERMINATING: 0,
      TERMINATED: 0,
    };
    for (const { kernel } of this.registry.all()) kernels[kernel.state] += 1;
    return {
      agentId: this.settings.agentId,
      version: this.settings.version,
      ready: this.readiness.ready,
      slots: { total: this.book.totals(), occupied: this.book.occupied(), available: this.book.available() },
      ports: { free: this.ports.free, used: this.ports.used },
      kernels,
      dependencies: this.health.report().dependencies,
    };
  }
}
