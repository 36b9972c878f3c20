import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
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

/** Remembers how each dependency was when it was last asked, and since when. */
@injectable()
export class HealthMonitor {
  readonly #latest = new Map<string, DependencyHealth>();

  constructor(
    @inject(Dependencies) private readonly dependencies: Dependencies,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
  ) {}

  async probeAll(signal: AbortSignal): Promise<void> {
    using deadline = this.clock.deadline(PROBE_DEADLINE_MS, signal);
    await Promise.all(this.dependencies.map((dependency) => this.#probe(dependency, deadline)));
  }

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
