import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { parseKernelId } from '../../domain/kernel/kernel-id.js';
import { normaliseReason, type TerminationReason } from '../../domain/kernel/termination-reason.js';
import { AgentSettings } from '../agent-settings.js';
import { DestroyKernel } from '../kernel/destroy-kernel.use-case.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { type AbuseReport, AbuseReports } from '../ports/abuse-reports.port.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';

const KEY = 'abuse_report';

/**
 * Which kernels of this agent are reported for abuse, and the end of those kernels if that is configured (lifecycle.md
 * §5.7). All agents share one hash; this one writes and removes what is about its own kernels alone (W-R1 of state.md §10).
 */
@injectable()
export class PublishAbuseReports {
  /** Kernels that were told as reported. */
  #told: ReadonlySet<string> = new Set();

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(DestroyKernel) private readonly destroyer: DestroyKernel,
    @inject(AbuseReports) private readonly reports: AbuseReports,
    @inject(StateStore) private readonly state: StateStore,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Rejects if the reports can't be read or the store is away; kernels are ended all the same, in the background. */
  async execute(): Promise<void> {
    const reports = (await this.reports.list()).filter(({ kernelId }) => this.registry.find(parseKernelId(kernelId)));
    if (this.settings.endsAbusers) for (const report of reports) void this.#end(report);
    const word = this.settings.endsAbusers ? 'cleaning' : 'detected';
    const fields = Object.fromEntries(reports.map(({ kernelId }) => [kernelId, word]));
    await this.state.setHash('statistics', KEY, fields);
    const settled = [...this.#told].filter((id) => !(id in fields));
    await this.state.deleteFields('statistics', KEY, settled);
    this.#told = new Set(Object.keys(fields));
  }

  /** A kernel that can't be destroyed yet is still reported the next time. */
  async #end(report: AbuseReport): Promise<void> {
    const kernelId = parseKernelId(report.kernelId);
    const reason = reasonOf(report);
    try {
      this.logger.warn('a kernel is reported for abuse: it is destroyed', { kernel_id: kernelId, reason });
      await this.destroyer.execute({ kernelId, reason, suppressEvents: false }, new AbortController().signal);
      await this.reports.remove(report);
    } catch (error) {
      this.logger.warn(`could not destroy it yet: ${messageOf(error)}`, { kernel_id: kernelId });
    }
  }
}

function reasonOf({ reason }: AbuseReport): TerminationReason {
  const known = reason === '' ? 'unknown' : normaliseReason(reason);
  return known === 'unknown' ? 'anomaly-detected' : known;
}
