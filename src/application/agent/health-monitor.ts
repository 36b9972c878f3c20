import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { waitFor } from '../concurrency/wait-for.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock, type Deadline } from '../ports/clock.port.js';
import type { DependencyHealth, HealthReport } from '../use-cases.js';

/** Something that the agent needs: named as in state.md §9.2, probed now and then. */
export interface Dependency {
  readonly group: string;
  readonly component: string;
  /** Rejects while it is away. */
  probe(signal: AbortSignal): Promise<unknown>;
}

export type Dependencies = readonly Dependency[];
export const Dependencies = Symbol('Dependencies');

const PROBE_DEADLINE_MS = 5_000;
/** Who asks is told what was found out so lately, */
const FRESH_MS = 2_000;
/** or waits so long for new answers and is told what is known by then. */
const PATIENCE_MS = 1_000;

/** Remembers how each dependency was when it was last asked, and since when. */
@injectable()
export class HealthMonitor {
  readonly #latest = new Map<string, DependencyHealth>();
  #round: Promise<void> | undefined;
  #askedAt = -Infinity;

  constructor(
    @inject(Dependencies) private readonly dependencies: Dependencies,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  /** Asks each dependency; those who come meanwhile wait for the same answers. Never rejects. */
  probeAll(signal?: AbortSignal): Promise<void> {
    this.#round ??= this.#ask(signal).finally(() => (this.#round = undefined));
    return this.#round;
  }

  /** How things are now, for whoever asks: within about a second, also when something hangs. */
  async current(): Promise<HealthReport> {
    if (this.#round !== undefined || this.clock.monotonic() - this.#askedAt > FRESH_MS) {
      using patience = this.clock.deadline(PATIENCE_MS);
      await waitFor(this.probeAll(), patience.signal).catch(() => undefined);
    }
    return this.report();
  }

  /** What was found out when they were last asked. */
  report(): HealthReport {
    const dependencies = [...this.#latest.values()];
    const complete = dependencies.length === this.dependencies.length;
    return {
      status: complete && dependencies.every((dependency) => dependency.healthy) ? 'ok' : 'degraded',
      version: this.settings.version,
      dependencies,
      timestampMs: this.clock.now(),
    };
  }

  async #ask(signal: AbortSignal | undefined): Promise<void> {
    this.#askedAt = this.clock.monotonic();
    using deadline = this.clock.deadline(PROBE_DEADLINE_MS, signal);
    await Promise.all(this.dependencies.map((dependency) => this.#probe(dependency, deadline)));
  }

  async #probe({ group, component, probe }: Dependency, deadline: Deadline): Promise<void> {
    const began = this.clock.monotonic();
    let error: string | null = null;
    try {
      await probe(deadline.signal);
    } catch (failure) {
      error = deadline.expired ? `no answer within ${PROBE_DEADLINE_MS} ms` : messageOf(failure);
    }
    const now = this.clock.now();
    const before = this.#latest.get(`${group}/${component}`);
    const healthy = error === null;
    this.#latest.set(`${group}/${component}`, {
      group,
      component,
      healthy,
      latencyMs: healthy ? this.clock.monotonic() - began : null,
      error,
      checkedAtMs: now,
      sinceMs: before?.healthy === healthy ? before.sinceMs : now,
    });
  }
}
