import { inject, injectable } from 'inversify';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { RunUsage } from '../../domain/statistics/usage.js';
import { AgentSettings } from '../agent-settings.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { EventBus } from '../ports/event-bus.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import { type NodeReading, type UsageReading, UsageSource } from '../ports/usage-source.port.js';

/** Capacity of `cpu_util` as the Manager's percentage query expects it: milliseconds in a second (stats.md §3.4). */
const CPU_UTIL_CAPACITY = 1000;

/** Plug-ins that are no accelerators. */
const INTRINSIC: ReadonlySet<string> = new Set(['cpu', 'mem']);

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
    @inject(EventBus) private readonly events: EventBus,
    @inject(Telemetry) private readonly telemetry: Telemetry,
  ) {}

  /** Usage of one kernel, read now; the last known one if its container is gone. */
  of(kernelId: KernelId): RunUsage | undefined {
    const live = this.registry.find(kernelId);
    if (!live) return undefined;
    this.#read(live);
    return live.lastUsage;
  }

  async kernels(): Promise<void> {
    const scope = { agent_id: this.settings.agentId, stat_scope: 'container' };
    this.telemetry.count('backendai_stat_task_trigger_count', scope);
    const live = this.registry.all();
    const known = new Set(live.map(({ kernel }) => kernel.id));
    for (const id of this.#previous.keys()) if (!known.has(id)) this.#previous.delete(id);
    for (const kernel of live) await this.#kernel(kernel);
    this.telemetry.gauge('backendai_kernel_count', live.filter(({ kernel }) => kernel.state === 'RUNNING').length, {
      agent_id: this.settings.agentId,
    });
    this.telemetry.count('backendai_stat_task_success_count', scope);
  }

  async node(signal: AbortSignal): Promise<void> {
    const agent_id = this.settings.agentId;
    this.telemetry.count('backendai_stat_task_trigger_count', { agent_id, stat_scope: 'node' });
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
    this.telemetry.count('backendai_stat_task_success_count', { agent_id, stat_scope: 'node' });
  }

  async #devices(signal: AbortSignal): Promise<void> {
    const agent_id = this.settings.agentId;
    for (const plugin of this.plugins) {
      for (const { deviceId, metrics } of await plugin.measure({ signal })) {
        const load = INTRINSIC.has(plugin.key) ? undefined : metrics[`${plugin.key}_util`];
        if (load?.capacity !== undefined) {
          const percent = (100 * load.current) / load.capacity;
          this.telemetry.gauge('backendai_agent_gpu_usage', percent, { agent_id, device_id: deviceId });
        }
        for (const [device_metric_name, value] of Object.entries(metrics)) {
          const labels = { device_metric_name, agent_id, device_id: deviceId };
          this.telemetry.gauge('backendai_device_utilization', value.current, { ...labels, value_type: 'current' });
          if (value.capacity !== undefined) {
            this.telemetry.gauge('backendai_device_utilization', value.capacity, { ...labels, value_type: 'capacity' });
          }
        }
      }
    }
  }

  async #kernel(live: LiveKernel): Promise<void> {
    const { kernel } = live;
    const reading = this.#read(live);
    if (!reading) return;
    const before = this.#previous.get(kernel.id);
    this.#previous.set(kernel.id, reading);
    const elapsedMs = before ? reading.atMs - before.atMs : 0;
    const cpuPercent = before && elapsedMs > 0 ? (100 * (reading.cpuMs - before.cpuMs)) / elapsedMs : 0;
    this.#publish(live, reading);
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

  #read(live: LiveKernel): UsageReading | undefined {
    const reading = live.usage?.read();
    if (!reading) return undefined;
    live.lastUsage = toRunUsage(reading);
    if (reading.oomKills > live.oomKills) live.kernel.notice = 'oom';
    // Less than before: a restart gave the kernel a new container.
    live.oomKills = reading.oomKills;
    return reading;
  }

  /** Raw values under the names and labels that the Manager's queries use (stats.md §3.4). */
  #publish({ kernel }: LiveKernel, reading: UsageReading): void {
    const labels = {
      agent_id: this.settings.agentId,
      kernel_id: kernel.id,
      session_id: kernel.sessionId,
      user_id: kernel.spec.ownerUserId ?? 'undefined',
      project_id: kernel.spec.ownerProjectId ?? 'undefined',
    };
    const set = (container_metric_name: string, value: number, value_type = 'current') =>
      this.telemetry.gauge('backendai_container_utilization', value, { ...labels, container_metric_name, value_type });
    set('cpu_util', reading.cpuMs);
    set('cpu_util', CPU_UTIL_CAPACITY, 'capacity');
    set('cpu_used', reading.cpuMs);
    set('mem', reading.memBytes);
    set('mem', reading.memLimitBytes, 'capacity');
    set('io_read', reading.ioReadBytes);
    set('io_write', reading.ioWriteBytes);
    set('net_rx', reading.netRxBytes);
    set('net_tx', reading.netTxBytes);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function toRunUsage(reading: UsageReading): RunUsage {
  return {
    cpuMs: Math.round(reading.cpuMs),
    memBytes: reading.memBytes,
    memPeakBytes: reading.memPeakBytes,
    netRxBytes: reading.netRxBytes,
    netTxBytes: reading.netTxBytes,
    ioReadBytes: reading.ioReadBytes,
    ioWriteBytes: reading.ioWriteBytes,
  };
}
