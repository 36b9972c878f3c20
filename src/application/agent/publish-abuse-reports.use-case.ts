import { inject, injectable } from 'inversify';
import { parseKernelId } from '../../domain/kernel/kernel-id.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { AbuseReports } from '../ports/abuse-reports.port.js';
import { StateStore } from '../ports/state-store.port.js';

const KEY = 'abuse_report';

/**
 * Which kernels of this agent are reported for abuse. All agents share one hash; this one writes and removes what is about
 * its own kernels alone (W-R1 of state.md §10). Nothing is destroyed for it.
 */
@injectable()
export class PublishAbuseReports {
  /** Kernels that were told as reported. */
  #told: ReadonlySet<string> = new Set();

  constructor(
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(AbuseReports) private readonly reports: AbuseReports,
    @inject(StateStore) private readonly state: StateStore,
  ) {}

  /** Rejects if the reports can't be read or the store is away. */
  async execute(): Promise<void> {
    const reported = (await this.reports.list()).filter((id) => this.registry.find(parseKernelId(id)));
    await this.state.setHash('statistics', KEY, Object.fromEntries(reported.map((id) => [id, 'detected'])));
    const settled = [...this.#told].filter((id) => !reported.includes(id));
    await this.state.deleteFields('statistics', KEY, settled);
    this.#told = new Set(reported);
  }
}
