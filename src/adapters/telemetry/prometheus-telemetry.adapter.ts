import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { messageOf } from '../../domain/error/agent-error.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Labels, Telemetry } from '../../application/ports/telemetry.port.js';
import { exposedName, METRIC_CATALOGUE, type MetricDeclaration } from './metric-catalogue.js';
import { observeProcess } from './process-metrics.js';

export interface PrometheusTelemetryOptions {
  /** Filled in as label `agent_id` where a caller leaves it out. */
  readonly agentId: string;
  readonly logger: Logger;
  /** In tests: misuse (unknown metric, wrong kind, unknown label) throws. Otherwise it is logged once per metric. */
  readonly strict?: boolean;
}

type Instrument =
  | { readonly kind: 'counter'; readonly meter: Counter }
  | { readonly kind: 'gauge'; readonly meter: Gauge }
  | { readonly kind: 'histogram'; readonly meter: Histogram };

type Metric = Instrument & {
  readonly declaration: MetricDeclaration;
  /**
   * The label sets that have a series, by their values: prom-client can only remove a complete set. It is given the same
   * object each time, since it remembers what an object reads like.
   */
  readonly series: Map<string, Labels>;
  /** As it was last told; undefined when it changed since then. */
  text: Promise<string> | undefined;
};

/** Owner labels that are not known carry this text, so that `current` and `capacity` match (stats.md §3.4). */
const UNKNOWN_OWNER = 'undefined';
const OWNER_LABELS: ReadonlySet<string> = new Set(['session_id', 'user_id', 'project_id']);
/** A label value from outside must not fill the memory. */
const MAX_SERIES = 20_000;

/**
 * Telemetry on prom-client, in a registry of its own. A mistake in recording one metric never stops the others
 * (the reference switches all recording off for good).
 */
export class PrometheusTelemetry implements Telemetry, Disposable {
  readonly #agentId: string;
  readonly #logger: Logger;
  readonly #strict: boolean;
  readonly #registry = new Registry();
  readonly #metrics: ReadonlyMap<string, Metric>;
  readonly #complained = new Set<string>();
  readonly #process: Disposable & { refresh(): void };

  constructor(options: PrometheusTelemetryOptions) {
    this.#agentId = options.agentId;
    this.#logger = options.logger;
    this.#strict = options.strict ?? false;
    this.#metrics = new Map(METRIC_CATALOGUE.map((declaration) => [declaration.name, this.#create(declaration)]));
    this.#process = observeProcess(this);
  }

  count(name: string, labels: Labels = {}, by = 1): void {
    this.#record(name, labels, (metric, complete) => {
      if (metric.kind !== 'counter') throw new Error(`${name} is no counter`);
      metric.meter.inc(complete, by);
    });
  }

  observe(name: string, value: number, labels: Labels = {}): void {
    this.#record(name, labels, (metric, complete) => {
      if (metric.kind !== 'histogram') throw new Error(`${name} is no histogram`);
      metric.meter.observe(complete, value);
    });
  }

  gauge(name: string, value: number, labels: Labels = {}): void {
    this.#record(name, labels, (metric, complete) => {
      if (metric.kind !== 'gauge') throw new Error(`${name} is no gauge`);
      metric.meter.set(complete, value);
    });
  }

  remove(labels: Labels, names?: readonly string[]): void {
    const wanted = Object.entries(labels);
    for (const name of names ?? this.#metrics.keys()) {
      const metric = this.#metrics.get(name);
      if (metric === undefined) this.#complain(name, `there is no metric ${name}`);
      for (const [key, complete] of metric?.series ?? []) {
        if (!metric || !wanted.every(([label, value]) => complete[label] === value)) continue;
        metric.meter.remove(complete);
        metric.series.delete(key);
        metric.text = undefined;
      }
    }
  }

  /** All series in Prometheus text format 0.0.4. What did not change since the last time is not put into words again. */
  async text(): Promise<string> {
    this.#process.refresh();
    const told: Promise<string>[] = [];
    for (const metric of this.#metrics.values()) {
      metric.text ??= this.#registry.getSingleMetricAsString(exposedName(metric.declaration));
      told.push(metric.text);
    }
    return `${(await Promise.all(told)).join('\n\n')}\n`;
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
    this.#registry.clear();
  }

  #create(declaration: MetricDeclaration): Metric {
    const common = {
      name: exposedName(declaration),
      help: declaration.help,
      labelNames: [...declaration.labels],
      registers: [this.#registry],
    };
    return { ...instrumentFor(declaration, common), declaration, series: new Map(), text: undefined };
  }

  #record(name: string, labels: Labels, write: (metric: Metric, complete: Labels) => void): void {
    try {
      const metric = this.#metrics.get(name);
      if (metric === undefined) throw new Error(`there is no metric ${name}`);
      const complete = this.#complete(metric.declaration, labels);
      const key = Object.values(complete).join('\u0000');
      const known = metric.series.get(key);
      if (!known && metric.series.size >= MAX_SERIES) throw new Error(`${name} has ${MAX_SERIES} series already`);
      metric.text = undefined;
      write(metric, known ?? complete);
      if (!known) metric.series.set(key, complete);
    } catch (error) {
      this.#complain(name, messageOf(error));
    }
  }

  /** Every declared label, in declared order. */
  #complete(declaration: MetricDeclaration, labels: Labels): Labels {
    const complete: Record<string, string> = {};
    for (const label of declaration.labels) {
      const value = labels[label] ?? this.#implied(label);
      if (value === undefined) throw new Error(`${declaration.name} needs the label ${label}`);
      complete[label] = value;
    }
    for (const label of Object.keys(labels)) {
      if (!(label in complete)) throw new Error(`${declaration.name} has no label ${label}`);
    }
    return complete;
  }

  #implied(label: string): string | undefined {
    if (label === 'agent_id') return this.#agentId;
    return OWNER_LABELS.has(label) ? UNKNOWN_OWNER : undefined;
  }

  #complain(name: string, problem: string): void {
    if (this.#strict) throw new TypeError(problem);
    if (this.#complained.has(name) || this.#complained.size >= MAX_SERIES) return;
    this.#complained.add(name);
    this.#logger.error('a metric could not be recorded; this is told once', { metric: name, problem });
  }
}

/**
 * A kernel has some forty series of seven labels each. As labels that several series may share, which they are for a
 * histogram's buckets, prom-client puts each set into words once, and not at every scrape.
 */
class SteadyGauge extends Gauge {
  override async get(): ReturnType<Gauge['get']> {
    const found = await super.get();
    const values = found.values.map(({ value, labels }) => ({ value, labels: {}, sharedLabels: labels }));
    return { ...found, values };
  }
}

interface MeterConfig {
  name: string;
  help: string;
  labelNames: string[];
  registers: Registry[];
}

function instrumentFor({ kind, buckets }: MetricDeclaration, config: MeterConfig): Instrument {
  switch (kind) {
    case 'counter':
      return { kind, meter: new Counter(config) };
    case 'gauge':
      return { kind, meter: new SteadyGauge(config) };
    case 'histogram':
      return { kind, meter: new Histogram({ ...config, buckets: [...(buckets ?? [])] }) };
  }
}
