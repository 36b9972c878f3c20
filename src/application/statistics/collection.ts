import { inject, injectable } from 'inversify';
import { isUnexpected, messageOf } from '../../domain/error/agent-error.js';
import { AgentSettings } from '../agent-settings.js';
import { Clock } from '../ports/clock.port.js';
import { Logger } from '../ports/logger.port.js';
import { type StateEntry, StateStore } from '../ports/state-store.port.js';
import { Telemetry } from '../ports/telemetry.port.js';

/** Scopes of stats.md §1.1. */
export type StatisticsScope = 'node' | 'container' | 'process';

/** What all collections of statistics have in common: they are counted and timed, and what they give is written. */
@injectable()
export class Collection {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(StateStore) private readonly state: StateStore,
    @inject(Clock) private readonly clock: Clock,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Rejects with what nobody foresaw. */
  async run(stat_scope: StatisticsScope, collect: () => Promise<readonly StateEntry[]>): Promise<void> {
    const labels = { agent_id: this.settings.agentId, stat_scope };
    this.telemetry.count('backendai_stat_task_trigger_count', labels);
    const began = this.clock.monotonic();
    try {
      await this.write(await collect());
      this.telemetry.count('backendai_stat_task_success_count', labels);
    } catch (error) {
      // Nothing is kept for later: the next documents are newer.
      const exception = error instanceof Error ? error.name : 'Error';
      this.telemetry.count('backendai_stat_task_failure_count', { ...labels, exception });
      this.logger.debug(`statistics were not written: ${messageOf(error)}`, { scope: stat_scope });
      if (isUnexpected(error)) throw error;
    } finally {
      this.telemetry.observe('backendai_stat_task_duration_sec', (this.clock.monotonic() - began) / 1000, labels);
    }
  }

  /** For those who read the state store; without such, nothing. Rejects if the store is away. */
  async write(entries: readonly StateEntry[]): Promise<void> {
    if (this.state.isShared) await this.state.setMany('statistics', entries);
  }

  /** How long a document is good for that comes every interval (stats.md §1.1). */
  ttlSeconds(scope: StatisticsScope): number {
    return Math.max(1, Math.floor((4 * this.settings.statistics[scope].intervalMs) / 1000));
  }
}
