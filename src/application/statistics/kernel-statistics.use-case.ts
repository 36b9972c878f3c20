import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { containerMetric } from '../../domain/statistics/metric-kinds.js';
import { MetricGroup } from '../../domain/statistics/metric.js';
import { packDocument } from '../../domain/statistics/msgpack.js';
import { AgentSettings } from '../agent-settings.js';
import { Breather } from '../concurrency/breather.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { AcceleratorPlugins } from '../ports/accelerator-plugin.port.js';
import { Clock } from '../ports/clock.port.js';
import { Logger } from '../ports/logger.port.js';
import type { StateEntry } from '../ports/state-store.port.js';
import { AcceleratorReadings } from './accelerator-readings.js';
import { Collection } from './collection.js';
import { KernelSeries } from './kernel-series.js';
import { readUsage } from './read-usage.js';
import { containerMeasures, type Measures } from './usage-measures.js';

/** Bills are made of a kernel's last document after its end (stats.md §3.5). */
const TTL_SECONDS = 86_400;
/** Last documents that wait for the store to come back. */
const MAX_OWED = 4_096;
const NOTHING: Measures = {};

interface Tracked {
  /** A restart gives the kernel another container, whose counters begin anew. */
  readonly containerId: string | null;
  readonly metrics: MetricGroup;
  /** Time of the newest reading in `metrics`. */
  atMs: number;
}

/** The document of each running kernel that Managers read (state.md §4): every interval, and once more at its end. */
@injectable()
export class KernelStatistics {
  readonly #tracked = new WeakMap<LiveKernel, Tracked>();
  /** Last documents that could not be written; the oldest first. */
  readonly #owed = new Map<string, StateEntry>();

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(Collection) private readonly collection: Collection,
    @inject(KernelSeries) private readonly series: KernelSeries,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  async execute(signal: AbortSignal): Promise<void> {
    await this.collection.run('container', async () => {
      const accelerators = await AcceleratorReadings.take(this.plugins, { signal });
      const breather = new Breather(this.clock);
      const entries: StateEntry[] = [];
      for (const live of this.registry.all()) {
        await breather.breathe(signal);
        if (live.kernel.state !== 'RUNNING' || !readUsage(live)) continue;
        const ofDevices = accelerators.of(live.kernel.allocation);
        this.series.publish(live.kernel, ofDevices);
        entries.push(...this.#document(live, ofDevices));
      }
      await this.#payOwed();
      return entries;
    });
  }

  /** The kernel's counters were opened: a kernel that ends at once has been seen. */
  begin(live: LiveKernel): void {
    const reading = readUsage(live);
    if (reading) this.series.publish(live.kernel, containerMeasures(reading));
  }

  /**
   * The kernel's container is about to end, or has ended: what it used in all is read as far as it can be, and written in
   * the background, with the next collections if the store is away. Never throws.
   */
  conclude(live: LiveKernel): void {
    readUsage(live);
    if (!live.lastReading) return;
    this.series.publish(live.kernel, containerMeasures(live.lastReading));
    if (!this.settings.statistics.container.enabled) return;
    const entries = this.#document(live, NOTHING);
    this.collection.write(entries).catch((error: unknown) => {
      for (const entry of entries) this.#owe(entry);
      this.logger.debug(`the last statistics wait for the store: ${messageOf(error)}`, { kernel_id: live.kernel.id });
    });
  }

  #owe(entry: StateEntry): void {
    this.#owed.delete(entry.key);
    this.#owed.set(entry.key, entry);
    const [oldest] = this.#owed.keys();
    if (this.#owed.size > MAX_OWED && oldest !== undefined) this.#owed.delete(oldest);
  }

  /** Before newer documents, in case a restart gave one to a kernel of the same id. */
  async #payOwed(): Promise<void> {
    const entries = [...this.#owed.values()];
    if (entries.length === 0) return;
    await this.collection.write(entries);
    for (const entry of entries) if (this.#owed.get(entry.key) === entry) this.#owed.delete(entry.key);
  }

  #document(live: LiveKernel, ofDevices: Measures): readonly StateEntry[] {
    const { kernel, lastReading: reading } = live;
    if (!reading) return [];
    let tracked = this.#tracked.get(live);
    if (tracked?.containerId !== kernel.containerId || tracked.atMs > reading.atMs) {
      const metrics = new MetricGroup(containerMetric);
      tracked = { containerId: kernel.containerId, metrics, atMs: Number.NEGATIVE_INFINITY };
      this.#tracked.set(live, tracked);
    }
    if (reading.atMs > tracked.atMs) {
      tracked.metrics.add({ ...containerMeasures(reading), ...ofDevices }, reading.atMs);
      tracked.atMs = reading.atMs;
    }
    return [{ key: kernel.id, value: packDocument(tracked.metrics.document()), ttlSeconds: TTL_SECONDS }];
  }
}
