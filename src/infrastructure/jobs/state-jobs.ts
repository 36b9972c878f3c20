import type { Container } from 'inversify';
import { AnnounceService } from '../../application/agent/announce-service.use-case.js';
import { KernelPresence } from '../../application/agent/kernel-presence.use-case.js';
import { PublishAbuseReports } from '../../application/agent/publish-abuse-reports.use-case.js';
import { PublishAgentFacts } from '../../application/agent/publish-agent-facts.use-case.js';
import { AgentSettings } from '../../application/agent-settings.js';
import { StateStore } from '../../application/ports/state-store.port.js';
import { KernelStatistics } from '../../application/statistics/kernel-statistics.use-case.js';
import { NodeStatistics } from '../../application/statistics/node-statistics.use-case.js';
import { ProcessStatistics } from '../../application/statistics/process-statistics.use-case.js';
import type { JobSupervisor } from './job-supervisor.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const SHORT_DEADLINE_MS = 10 * SECOND_MS;
const STATISTICS_DEADLINE_MS = 600 * SECOND_MS;

/** Statistics, and what Managers find about this agent in the state store (state.md §1.4, §3.6). */
export function addStateJobs(jobs: JobSupervisor, container: Container): void {
  const settings = container.get<AgentSettings>(AgentSettings);
  const kernels = container.get(KernelStatistics);
  const node = container.get(NodeStatistics);
  const processes = container.get(ProcessStatistics);
  const collections = { node, container: kernels, process: processes } as const;
  for (const scope of ['node', 'container', 'process'] as const) {
    const { enabled, intervalMs } = settings.statistics[scope];
    if (!enabled) continue;
    jobs.every({
      name: `statistics-${scope}`,
      intervalMs,
      deadlineMs: STATISTICS_DEADLINE_MS,
      run: (signal) => collections[scope].execute(signal),
    });
  }
  // Who else should read it?
  if (!container.get<StateStore>(StateStore).isShared) return;
  const every = (name: string, seconds: number, run: (signal: AbortSignal) => Promise<void>): void =>
    jobs.every({ name, intervalMs: seconds * SECOND_MS, deadlineMs: SHORT_DEADLINE_MS, run });
  const facts = container.get(PublishAgentFacts);
  const presence = container.get(KernelPresence);
  const service = container.get(AnnounceService);
  every('slot-metadata', 60, () => facts.slotMetadata());
  every('container-count', 10, () => facts.containerCount());
  every('task-index', 60, () => facts.taskIndex());
  every('kernel-presence', 60, () => presence.tell());
  every('service-discovery', 60, (signal) => service.execute(signal));
  jobs.every({
    name: 'orphans',
    intervalMs: 5 * MINUTE_MS,
    deadlineMs: 30 * SECOND_MS,
    run: (signal) => presence.endOrphans(signal),
  });
  if (settings.abuseReportPath !== null) {
    const reports = container.get(PublishAbuseReports);
    every('abuse-reports', 30, () => reports.execute());
  }
}
