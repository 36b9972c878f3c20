import type { MetricKind } from './metric.js';

/** The catalogue of stats.md §1.5 with the units of 26.9. */

const NODE: Readonly<Record<string, MetricKind>> = {
  cpu_util: { unit: 'msec', statistics: [], derive: 'diff' },
  mem: { unit: 'bytes', statistics: ['max'] },
  disk: { unit: 'bytes', statistics: [] },
  net_rx: { unit: 'bps', statistics: [], derive: 'rate' },
  net_tx: { unit: 'bps', statistics: [], derive: 'rate' },
};

/** Of containers and of processes. `bps` holds bytes, not bits: readers print it so. */
const CONTAINER: Readonly<Record<string, MetricKind>> = {
  cpu_util: { unit: 'millicores', statistics: ['max', 'avg'], derive: 'rate' },
  cpu_used: { unit: 'msec', statistics: [] },
  mem: { unit: 'bytes', statistics: ['max'] },
  io_read: { unit: 'bytes', statistics: ['rate'] },
  io_write: { unit: 'bytes', statistics: ['rate'] },
  net_rx: { unit: 'bps', statistics: [], derive: 'rate' },
  net_tx: { unit: 'bps', statistics: [], derive: 'rate' },
  io_scratch_size: { unit: 'bytes', statistics: ['max'] },
};

/** Metrics of accelerators, by how their names end. */
const DEVICE: Readonly<Record<string, MetricKind>> = {
  mem: { unit: 'bytes', statistics: ['max'] },
  util: { unit: 'percent', statistics: ['max', 'avg'] },
  power: { unit: 'Watts', statistics: ['max', 'avg'] },
  temperature: { unit: 'Celsius', statistics: ['max', 'avg'] },
};
const UNKNOWN: MetricKind = { unit: 'count', statistics: [] };

export function nodeMetric(name: string): MetricKind {
  return NODE[name] ?? deviceMetric(name);
}

export function containerMetric(name: string): MetricKind {
  return { ...(CONTAINER[name] ?? deviceMetric(name)), firstValueIsCapacity: true };
}

function deviceMetric(name: string): MetricKind {
  return DEVICE[name.slice(name.lastIndexOf('_') + 1)] ?? UNKNOWN;
}
