import { metricText, percentText } from './metric-text.js';
import { MovingStatistics, STATISTIC_NAMES, type StatisticName } from './moving-statistics.js';

/** One raw value, and what it can be at most if there is such a thing. */
export interface Measure {
  readonly value: number;
  readonly capacity?: number;
}

export interface MetricKind {
  readonly unit: string;
  /** Exposed beside the value. They are of the raw values, also where `current` is derived (stats.md §1.4). */
  readonly statistics: readonly StatisticName[];
  /** What `current` is, if not the raw value: 0 at the first reading. */
  readonly derive?: 'diff' | 'rate';
  /**
   * Without a capacity the first value stays as one for ever. Its percentage means nothing, but readers of the reference
   * know it so (stats.md §1.4).
   */
  readonly firstValueIsCapacity?: boolean;
}

/** A metric as it is written for others: every number as text. */
export type MetricDocument = Readonly<Record<string, string | null>>;

/** One metric of one thing over its life. */
class Metric {
  readonly #kind: MetricKind;
  readonly #statistics = new MovingStatistics();
  #isFirst = true;
  #raw = 0;
  #capacity: number | null = null;

  constructor(kind: MetricKind) {
    this.#kind = kind;
  }

  add({ value, capacity }: Measure, atMs: number): void {
    if (capacity !== undefined) this.#capacity = capacity;
    if (this.#isFirst && this.#kind.firstValueIsCapacity) this.#capacity ||= value;
    this.#isFirst = false;
    this.#raw = value;
    this.#statistics.add(value, atMs);
  }

  document(): MetricDocument {
    const { derive, statistics, unit } = this.#kind;
    const current = derive ? this.#statistics.get(derive) : this.#raw;
    const document: Record<string, string | null> = {
      current: metricText(current),
      capacity: this.#capacity === null ? null : metricText(this.#capacity),
      pct: percentText(current, this.#capacity),
      unit_hint: unit,
    };
    for (const name of STATISTIC_NAMES) {
      if (statistics.includes(name)) document[`stats.${name}`] = metricText(this.#statistics.get(name));
    }
    return document;
  }
}

/** All metrics of one thing, in the order in which they were first seen. */
export class MetricGroup {
  readonly #kindOf: (name: string) => MetricKind;
  readonly #metrics = new Map<string, Metric>();

  constructor(kindOf: (name: string) => MetricKind) {
    this.#kindOf = kindOf;
  }

  /** `atMs` is monotonic. Metrics that `measures` leaves out stay as they were. */
  add(measures: Readonly<Record<string, Measure>>, atMs: number): void {
    for (const [name, measure] of Object.entries(measures)) {
      let metric = this.#metrics.get(name);
      if (metric === undefined) this.#metrics.set(name, (metric = new Metric(this.#kindOf(name))));
      metric.add(measure, atMs);
    }
  }

  document(): Readonly<Record<string, MetricDocument>> {
    return Object.fromEntries([...this.#metrics].map(([name, metric]) => [name, metric.document()]));
  }
}
