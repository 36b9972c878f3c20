import { inject, injectable } from 'inversify';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { RunUsage } from '../../domain/statistics/usage.js';
import { AgentSettings } from '../agent-settings.js';
import { Breather } from '../concurrency/breather.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { Clock } from '../ports/clock.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import { type NodeReading, type UsageReading, UsageSource } from '../ports/usage-source.port.js';
import { AcceleratorReadings } from './accelerator-readings.js';
import { KernelSeries } from './kernel-series.js';
import { readUsage } from './read-usage.js';
import { containerMeasures } from './usage-measures.js';

/** Reads what kernels and the node use, and publishes it; the container engine is not asked. */
@injectable()
export class SampleUsage {
  readonly #previous = new Map<KernelId, UsageReading>();
  #previousNode: NodeReading | undefined;

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(UsageSource) private readonly source: UsageSource,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(KernelSeries) private readonly series: KernelSeries,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  /** Usage of one kernel, read now; the last known one if its container is gone. */
  of(kernelId: KernelId): RunUsage | undefined {
    const live = this.registry.find(kernelId);
    if (!live) return undefined;
    readUsage(live);
    return live.lastUsage;
  }

  async kernels(signal?: AbortSignal): Promise<void> {
    this.series.prune();
    const live = this.registry.all();
    const known = new Set(live.map(({ kernel }) => kernel.id));
    for (const id of this.#previous.keys()) if (!known.has(id)) this.#previous.delete(id);
    const breather = new Breather(this.clock);
    for (const kernel of live) {
      await breather.breathe(signal);
      await this.#kernel(kernel);
    }
    this.telemetry.gauge('backendai_kernel_count', live.filter(({ kernel }) => kernel.state === 'RUNNING').length, {
      agent_id: this.settings.agentId,
    });
  }

  async node(signal: AbortSignal): Promise<void> {
    const agent_id = this.settings.agentId;
    const now = this.source.readNode();
    const before = this.#previousNode;
    this.#previousNode = now;
    if (before && now.atMs > before.atMs) {
      const busyMs = sum(now.cpuBusyMs) - sum(before.cpuBusyMs);
      const cores = Math.max(1, now.cpuBusyMs.length);
      const percent = (100 * Math.max(0, busyMs)) / (now.atMs - before.atMs) / cores;
      this.telemetry.gauge('backendai_agent_cpu_usage', percent, { agent_id });
    }
    this.telemetry.gauge('backendai_agent_mem_usage', now.memUsedBytes, { agent_id });
    await this.#devices(signal);
  }

  async #devices(signal: AbortSignal): Promise<void> {
    const accelerators = await AcceleratorReadings.take(this.plugins, { signal });
    for (const [device_id, measures] of accelerators.devices()) {
      const load = Object.entries(measures).find(([name]) => name.endsWith('_util'))?.[1];
      if (load?.capacity === undefined) continue;
      const labels = { agent_id: this.settings.agentId, device_id };
      this.telemetry.gauge('backendai_agent_gpu_usage', (100 * load.value) / load.capacity, labels);
    }
  }

  async #kernel(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    const reading = readUsage(live);
    if (!reading) return;
    const before = this.#previous.get(kernel.id);
    this.#previous.set(kernel.id, reading);
    const elapsedMs = before ? reading.atMs - before.atMs : 0;
    const cpuPercent = before && elapsedMs > 0 ? (100 * (reading.cpuMs - before.cpuMs)) / elapsedMs : 0;
    this.series.publish(kernel, containerMeasures(reading));
    await this.events.announce({
      name: 'kernel_usage',
      body: {
        kernel_id: kernel.id,
        session_id: kernel.sessionId,
        usage: {
          cpu_ms: Math.round(reading.cpuMs),
          cpu_percent: Math.round(cpuPercent * 10) / 10,
          mem_bytes: reading.memBytes,
          mem_peak_bytes: reading.memPeakBytes,
          net_rx_bytes: reading.netRxBytes,
          net_tx_bytes: reading.netTxBytes,
          io_read_bytes: reading.ioReadBytes,
          io_write_bytes: reading.ioWriteBytes,
        },
      },
    });
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
