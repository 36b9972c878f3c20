import { inject, injectable } from 'inversify';
import { containerMetric } from '../../domain/statistics/metric-kinds.js';
import { MetricGroup } from '../../domain/statistics/metric.js';
import { packDocument } from '../../domain/statistics/msgpack.js';
import { Breather } from '../concurrency/breather.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { Clock } from '../ports/clock.port.js';
import type { StateEntry } from '../ports/state-store.port.js';
import { Collection } from './collection.js';
import { processMeasures } from './usage-measures.js';

interface TrackedProcess {
  readonly startTicks: number;
  readonly metrics: MetricGroup;
}

/**
 * One document per running kernel about its processes, under the id of its container (stats.md §3.2). Prometheus gets none
 * of it: a series per process id has no bound.
 */
@injectable()
export class ProcessStatistics {
  readonly #tracked = new WeakMap<LiveKernel, ReadonlyMap<number, TrackedProcess>>();

  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(Collection) private readonly collection: Collection,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  async execute(signal: AbortSignal): Promise<void> {
    await this.collection.run('process', async () => {
      const ttlSeconds = this.collection.ttlSeconds('process');
      const breather = new Breather(this.clock);
      const entries: StateEntry[] = [];
      for (const live of this.registry.all()) {
        await breather.breathe(signal);
        const { state, containerId } = live.kernel;
        if (state !== 'RUNNING' || containerId === null) continue;
        const processes = this.#read(live);
        if (processes.size === 0) continue;
        const document = new Map([...processes].map(([pid, { metrics }]) => [pid, metrics.document()]));
        entries.push({ key: containerId, value: packDocument(document), ttlSeconds });
      }
      return entries;
    });
  }

  /** Those that are there now; one that ended is forgotten, and so is one whose number another process got. */
  #read(live: LiveKernel): ReadonlyMap<number, TrackedProcess> {
    const before = this.#tracked.get(live);
    const now = new Map<number, TrackedProcess>();
    for (const reading of live.usage?.processes() ?? []) {
      const { pid, startTicks, atMs } = reading;
      const known = before?.get(pid);
      const isSame = known?.startTicks === startTicks;
      const tracked = isSame ? known : { startTicks, metrics: new MetricGroup(containerMetric) };
      tracked.metrics.add(processMeasures(reading), atMs);
      now.set(pid, tracked);
    }
    this.#tracked.set(live, now);
    return now;
  }
}
