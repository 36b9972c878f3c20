/** In the order in which documents carry them (stats.md §1.4). */
export const STATISTIC_NAMES = ['min', 'max', 'sum', 'avg', 'diff', 'rate', 'version'] as const;
export type StatisticName = (typeof STATISTIC_NAMES)[number];

/** The form of these statistics that readers know (stats.md §1.3). */
const VERSION = 2;

interface Point {
  readonly value: number;
  readonly atMs: number;
}

/** Aggregates over all raw values since the first one; no window and no decay (stats.md §1.3). */
export class MovingStatistics {
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;
  #last: Point | undefined;
  #previous: Point | undefined;

  /** `atMs` is monotonic: when the value was read. */
  add(value: number, atMs: number): void {
    this.#count += 1;
    this.#sum += value;
    this.#min = Math.min(this.#min, value);
    this.#max = Math.max(this.#max, value);
    this.#previous = this.#last;
    this.#last = { value, atMs };
  }

  /** 0 before the first value. */
  get(name: StatisticName): number {
    if (name === 'version') return VERSION;
    if (this.#count === 0) return 0;
    switch (name) {
      case 'min':
        return this.#min;
      case 'max':
        return this.#max;
      case 'sum':
        return this.#sum;
      case 'avg':
        return this.#sum / this.#count;
      case 'diff':
        return this.#diff();
      case 'rate':
        return this.#rate();
    }
  }

  /** From the last but one to the last; 0 for a counter that went back, as after a restart. */
  #diff(): number {
    if (!this.#last || !this.#previous) return 0;
    return Math.max(0, this.#last.value - this.#previous.value);
  }

  /** Per second. */
  #rate(): number {
    const elapsedMs = (this.#last?.atMs ?? 0) - (this.#previous?.atMs ?? 0);
    return this.#previous && elapsedMs > 0 ? (1000 * this.#diff()) / elapsedMs : 0;
  }
}
