/** Counters, gauges and durations by name; the metric names and labels are those of stats.md §3.4. */
export interface Telemetry {
  count(name: string, labels?: Labels, by?: number): void;
  observe(name: string, value: number, labels?: Labels): void;
  gauge(name: string, value: number, labels?: Labels): void;
  /** Drops every series of `names` (all metrics if none are given) whose labels include `labels`. */
  remove(labels: Labels, names?: readonly string[]): void;
}

export type Labels = Readonly<Record<string, string>>;

export const Telemetry = Symbol('Telemetry');
