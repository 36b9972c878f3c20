import { inject, injectable } from 'inversify';
import type { Kernel } from '../../domain/kernel/kernel.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { StateStore } from '../ports/state-store.port.js';
import { Telemetry } from '../ports/telemetry.port.js';
import type { Measures } from './usage-measures.js';

/** The last values of a kernel that ended can be asked for so long (stats.md §3.4). */
const RETIRED_MS = 600_000;
/** More kernels that ended than this are not kept, however lately they did. */
const MAX_RETIRED = 256;

const UTILIZATION = 'backendai_container_utilization';

/** What Prometheus sees of kernels: raw values, from their start to a while after their end. */
@injectable()
export class KernelSeries {
  /** Kernels that ended → when their series go. The oldest first. */
  readonly #retired = new Map<KernelId, number>();

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(StateStore) private readonly state: StateStore,
    @inject(Clock) private readonly clock: Clock,
    @inject(Telemetry) private readonly telemetry: Telemetry,
  ) {}

  /** Raw values under the names and labels that the Manager's queries use (stats.md §3.4). */
  publish(kernel: Kernel, measures: Measures): void {
    // A new kernel of an old id: it may have other labels.
    if (this.#retired.has(kernel.id)) this.#remove(kernel.id);
    const labels = {
      agent_id: this.settings.agentId,
      kernel_id: kernel.id,
      session_id: kernel.sessionId,
      user_id: kernel.spec.ownerUserId ?? 'undefined',
      project_id: kernel.spec.ownerProjectId ?? 'undefined',
    };
    for (const [container_metric_name, { value, capacity }] of Object.entries(measures)) {
      const ofMetric = { ...labels, container_metric_name };
      this.telemetry.gauge(UTILIZATION, value, { ...ofMetric, value_type: 'current' });
      if (capacity !== undefined) this.telemetry.gauge(UTILIZATION, capacity, { ...ofMetric, value_type: 'capacity' });
    }
  }

  /** The kernel ended: its last values stay for a while, for a Manager that asks how it was, if there is one. */
  retire(kernelId: KernelId): void {
    this.#retired.delete(kernelId);
    this.#retired.set(kernelId, this.clock.monotonic() + (this.state.isShared ? RETIRED_MS : 0));
    this.prune();
  }

  /** Drops the series whose time is over. */
  prune(): void {
    const now = this.clock.monotonic();
    for (const [kernelId, untilMs] of this.#retired) {
      if (untilMs > now && this.#retired.size <= MAX_RETIRED) return;
      this.#remove(kernelId);
    }
  }

  #remove(kernelId: KernelId): void {
    this.#retired.delete(kernelId);
    this.telemetry.remove({ agent_id: this.settings.agentId, kernel_id: kernelId });
  }
}
