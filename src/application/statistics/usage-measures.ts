import type { Measure } from '../../domain/statistics/metric.js';
import type { NodeReading, ProcessReading, UsageReading } from '../ports/usage-source.port.js';

export type Measures = Readonly<Record<string, Measure>>;

/** Milliseconds of one core in a second: the capacity of `cpu_util` as Managers expect it (stats.md §3.4). */
const CPU_CAPACITY = 1000;

/** A container's raw values under the names of stats.md §1.5, in their order. */
export function containerMeasures(reading: UsageReading): Measures {
  return {
    cpu_util: { value: reading.cpuMs, capacity: CPU_CAPACITY },
    cpu_used: { value: reading.cpuMs },
    mem: { value: reading.memBytes, ...(reading.memLimitBytes > 0 ? { capacity: reading.memLimitBytes } : {}) },
    io_read: { value: reading.ioReadBytes },
    io_write: { value: reading.ioWriteBytes },
    net_rx: { value: reading.netRxBytes },
    net_tx: { value: reading.netTxBytes },
    // The reference never measures it either; readers want the member to be there.
    io_scratch_size: { value: 0 },
  };
}

export function processMeasures(reading: ProcessReading): Measures {
  return {
    cpu_util: { value: reading.cpuMs, capacity: CPU_CAPACITY },
    cpu_used: { value: reading.cpuMs },
    mem: { value: reading.rssBytes },
    io_read: { value: reading.ioReadBytes },
    io_write: { value: reading.ioWriteBytes },
  };
}

/** `elapsedMs` since the reading before, 0 if there was none: what the cores could have worked. */
export function nodeMeasures(reading: NodeReading, elapsedMs: number): Measures {
  return {
    cpu_util: { value: reading.cpuBusyMs.reduce((sum, ms) => sum + ms, 0), capacity: elapsedMs },
    mem: { value: reading.memUsedBytes, capacity: reading.memTotalBytes },
    disk: { value: reading.diskUsedBytes, capacity: reading.diskTotalBytes },
    net_rx: { value: reading.netRxBytes },
    net_tx: { value: reading.netTxBytes },
  };
}

/** The same by device: each core, each disk, all memory as `root`, all network as `node`. */
export function nodeDeviceMeasures(reading: NodeReading, elapsedMs: number): ReadonlyMap<string, Measures> {
  const devices = new Map<string, Measures>();
  reading.cpuBusyMs.forEach((value, core) => {
    devices.set(String(core), { cpu_util: { value, capacity: elapsedMs } });
  });
  devices.set('root', { mem: { value: reading.memUsedBytes, capacity: reading.memTotalBytes } });
  for (const { device, usedBytes, totalBytes } of reading.disks) {
    devices.set(device, { disk: { value: usedBytes, capacity: totalBytes } });
  }
  devices.set('node', { net_rx: { value: reading.netRxBytes }, net_tx: { value: reading.netTxBytes } });
  return devices;
}
