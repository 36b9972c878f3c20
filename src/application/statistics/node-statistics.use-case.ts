import { inject, injectable } from 'inversify';
import { nodeMetric } from '../../domain/statistics/metric-kinds.js';
import { type MetricDocument, MetricGroup } from '../../domain/statistics/metric.js';
import { packDocument } from '../../domain/statistics/msgpack.js';
import { AgentSettings } from '../agent-settings.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import { type NodeReading, UsageSource } from '../ports/usage-source.port.js';
import { AcceleratorReadings } from './accelerator-readings.js';
import { Collection } from './collection.js';
import { type Measures, nodeDeviceMeasures, nodeMeasures } from './usage-measures.js';

const UTILIZATION = 'backendai_device_utilization';

/** The document about this node and its devices that Managers read (state.md §4), and its devices for Prometheus. */
@injectable()
export class NodeStatistics {
  readonly #node = new MetricGroup(nodeMetric);
  /** By device; names of metrics tell apart what has the same id. */
  #devices: ReadonlyMap<string, MetricGroup> = new Map<string, MetricGroup>();
  #previous: NodeReading | undefined;

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(UsageSource) private readonly source: UsageSource,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(Collection) private readonly collection: Collection,
    @inject(Telemetry) private readonly telemetry: Telemetry,
  ) {}

  async execute(signal: AbortSignal): Promise<void> {
    await this.collection.run('node', async () => {
      const accelerators = await AcceleratorReadings.take(this.plugins, { signal });
      const reading = this.source.readNode();
      const elapsedMs = this.#previous ? reading.atMs - this.#previous.atMs : 0;
      this.#previous = reading;
      this.#node.add({ ...nodeMeasures(reading, elapsedMs), ...accelerators.total() }, reading.atMs);
      const devices = [...nodeDeviceMeasures(reading, elapsedMs), ...accelerators.devices()];
      this.#addDevices(devices, reading.atMs);
      for (const [deviceId, measures] of devices) this.#publish(deviceId, measures);
      const document = { node: this.#node.document(), devices: this.#devicesDocument() };
      const ttlSeconds = this.collection.ttlSeconds('node');
      return [{ key: this.settings.agentId, value: packDocument(document), ttlSeconds }];
    });
  }

  /** A device that is gone is told of no longer. */
  #addDevices(devices: Iterable<readonly [string, Measures]>, atMs: number): void {
    const now = new Map<string, MetricGroup>();
    for (const [deviceId, measures] of devices) {
      const group = now.get(deviceId) ?? this.#devices.get(deviceId) ?? new MetricGroup(nodeMetric);
      group.add(measures, atMs);
      now.set(deviceId, group);
    }
    for (const deviceId of this.#devices.keys()) {
      if (!now.has(deviceId)) this.telemetry.remove({ device_id: deviceId }, [UTILIZATION]);
    }
    this.#devices = now;
  }

  /** Metric → device → value. */
  #devicesDocument(): Readonly<Record<string, Readonly<Record<string, MetricDocument>>>> {
    const document: Record<string, Record<string, MetricDocument>> = {};
    for (const [deviceId, group] of this.#devices) {
      for (const [name, metric] of Object.entries(group.document())) (document[name] ??= {})[deviceId] = metric;
    }
    return document;
  }

  /** Raw values (stats.md §3.4). */
  #publish(device_id: string, measures: Measures): void {
    for (const [device_metric_name, { value, capacity }] of Object.entries(measures)) {
      const labels = { device_metric_name, agent_id: this.settings.agentId, device_id };
      this.telemetry.gauge(UTILIZATION, value, { ...labels, value_type: 'current' });
      if (capacity !== undefined) this.telemetry.gauge(UTILIZATION, capacity, { ...labels, value_type: 'capacity' });
    }
  }
}
