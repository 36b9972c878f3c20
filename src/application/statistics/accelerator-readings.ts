import type { Allocation } from '../../domain/resource/device.js';
import type { Measure } from '../../domain/statistics/metric.js';
import type { AcceleratorPlugins, DeviceReading } from '../ports/accelerator-plugin.port.js';
import type { Call } from '../ports/call.js';
import type { Measures } from './usage-measures.js';

/** What all accelerators of this node say at one time; node and kernels share it. */
export class AcceleratorReadings {
  private constructor(private readonly byPlugin: ReadonlyMap<string, readonly DeviceReading[]>) {}

  static async take(plugins: AcceleratorPlugins, call: Call): Promise<AcceleratorReadings> {
    const byPlugin = new Map<string, readonly DeviceReading[]>();
    for (const plugin of plugins) byPlugin.set(plugin.key, await plugin.measure(call));
    return new AcceleratorReadings(byPlugin);
  }

  /** Device → its metrics. */
  *devices(): Iterable<readonly [deviceId: string, Measures]> {
    for (const readings of this.byPlugin.values()) {
      for (const { deviceId, metrics } of readings) yield [deviceId, sum([metrics])];
    }
  }

  total(): Measures {
    return sum([...this.byPlugin.values()].flat().map(({ metrics }) => metrics));
  }

  /** Sums over the devices that a kernel has a share of; of a shared device all of it (stats.md §1.5). */
  of(allocation: Allocation): Measures {
    const held = Object.entries(allocation).flatMap(([deviceName, slots]) => {
      const ids = new Set(Object.values(slots).flatMap((shares) => Object.keys(shares)));
      return (this.byPlugin.get(deviceName) ?? []).filter(({ deviceId }) => ids.has(deviceId));
    });
    return sum(held.map(({ metrics }) => metrics));
  }
}

function sum(readings: readonly DeviceReading['metrics'][]): Measures {
  const total: Record<string, Measure> = {};
  for (const metrics of readings) {
    for (const [name, { current, capacity }] of Object.entries(metrics)) {
      const before = total[name];
      const all = capacity === undefined ? before?.capacity : (before?.capacity ?? 0) + capacity;
      total[name] = { value: (before?.value ?? 0) + current, ...(all === undefined ? {} : { capacity: all }) };
    }
  }
  return total;
}
