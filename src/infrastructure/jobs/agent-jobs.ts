import type { Container } from 'inversify';
import { HealthMonitor } from '../../application/agent/health-monitor.js';
import { REGISTRATION_INTERVAL_MS, RegisterAgent } from '../../application/agent/register-agent.use-case.js';
import { PublishInstalledImages } from '../../application/agent/publish-installed-images.use-case.js';
import { ReportFault } from '../../application/agent/report-fault.use-case.js';
import { SendHeartbeat } from '../../application/agent/send-heartbeat.use-case.js';
import { AgentSettings } from '../../application/agent-settings.js';
import { CommitKernel } from '../../application/image/commit-kernel.use-case.js';
import { RunBatch } from '../../application/execution/run-batch.use-case.js';
import { HandleEngineEvent } from '../../application/kernel/handle-engine-event.use-case.js';
import { ReconcileKernels } from '../../application/kernel/reconcile-kernels.use-case.js';
import { AssignedPorts } from '../../application/network/assigned-ports.js';
import { ClusterNetworks } from '../../application/network/cluster-networks.js';
import { Clock } from '../../application/ports/clock.port.js';
import { ContainerEngine } from '../../application/ports/container-engine.port.js';
import { Logger } from '../../application/ports/logger.port.js';
import { SampleUsage } from '../../application/statistics/sample-usage.use-case.js';
import { JobSupervisor } from './job-supervisor.js';
import { addStateJobs } from './state-jobs.js';

const CLUSTER_LEFTOVERS_INTERVAL_MS = 60_000;
/** An engine may go on with a commit that was given up, and be ready long after. */
const COMMIT_LEFTOVERS_INTERVAL_MS = 300_000;
/** For the log and the metrics; whoever asks `/health` has it asked at once. */
const HEALTH_INTERVAL_MS = 30_000;
const BATCH_ENDS_INTERVAL_MS = 5_000;
const SHORT_DEADLINE_MS = 10_000;
/** A reconcile pass may have to stop containers. */
const RECONCILE_DEADLINE_MS = 180_000;

/** Everything that goes on by itself while the agent lives. `sinceMs` is where the engine's events are read from. */
export function startJobs(container: Container, sinceMs: number): JobSupervisor {
  const settings = container.get<AgentSettings>(AgentSettings);
  const clock = container.get<Clock>(Clock);
  const logger = container.get<Logger>(Logger);
  const engine = container.get<ContainerEngine>(ContainerEngine);
  const events = container.get(HandleEngineEvent);
  const reconcile = container.get(ReconcileKernels);
  const usage = container.get(SampleUsage);
  const heartbeat = container.get(SendHeartbeat);
  const images = container.get(PublishInstalledImages);
  const health = container.get(HealthMonitor);
  const commits = container.get(CommitKernel);

  const faults = container.get(ReportFault);
  const jobs = new JobSupervisor(clock, logger, (error, job) => faults.execute(error, { job }));
  let resumeFrom = sinceMs;
  jobs.always({
    name: 'engine-events',
    run: async (signal) => {
      const tell = (connected: boolean, error?: Error) =>
        connected
          ? logger.info('connected to the container engine')
          : logger.warn(`lost the container engine: ${error?.message ?? 'unknown'}`);
      for await (const event of engine.watchEvents(resumeFrom, { signal }, tell)) {
        resumeFrom = event.timeMs;
        events.execute(event);
      }
    },
  });
  if (settings.reconcileIntervalMs > 0) {
    jobs.every({
      name: 'reconcile',
      intervalMs: settings.reconcileIntervalMs,
      deadlineMs: RECONCILE_DEADLINE_MS,
      run: (signal) => reconcile.execute(signal),
    });
  }
  const networks = container.get(ClusterNetworks);
  const ports = container.get(AssignedPorts);
  jobs.every({
    name: 'cluster-leftovers',
    intervalMs: CLUSTER_LEFTOVERS_INTERVAL_MS,
    deadlineMs: RECONCILE_DEADLINE_MS,
    run: (signal) => {
      ports.expire();
      return networks.tidy(signal);
    },
  });
  jobs.every({
    name: 'usage',
    intervalMs: settings.usageIntervalMs,
    deadlineMs: SHORT_DEADLINE_MS,
    run: async (signal) => {
      await usage.kernels(signal);
      await usage.node(signal);
    },
  });
  jobs.every({
    name: 'heartbeat',
    intervalMs: settings.heartbeatIntervalMs,
    deadlineMs: SHORT_DEADLINE_MS,
    // A Manager reads the list of images while it handles the heartbeat.
    run: async (signal) => {
      await images.execute(signal);
      await heartbeat.execute();
    },
  });
  const batches = container.get(RunBatch);
  jobs.every({
    name: 'batch-ends',
    intervalMs: BATCH_ENDS_INTERVAL_MS,
    deadlineMs: SHORT_DEADLINE_MS,
    run: () => batches.repeatEnds(),
  });
  const registration = container.get(RegisterAgent);
  jobs.every({
    name: 'registration',
    intervalMs: REGISTRATION_INTERVAL_MS,
    deadlineMs: SHORT_DEADLINE_MS,
    run: (signal) => registration.execute('running', signal),
  });
  jobs.every({
    name: 'commit-leftovers',
    intervalMs: COMMIT_LEFTOVERS_INTERVAL_MS,
    deadlineMs: SHORT_DEADLINE_MS,
    run: (signal) => commits.sweep(signal),
  });
  jobs.every({
    name: 'health',
    intervalMs: HEALTH_INTERVAL_MS,
    deadlineMs: SHORT_DEADLINE_MS,
    // What is away is told once and asked again soon, as the failure of any job.
    run: async (signal) => {
      await health.probeAll(signal);
      const away = health.report().dependencies.filter(({ healthy }) => !healthy);
      if (away.length > 0)
        throw new Error(`away: ${away.map(({ group, component }) => `${group}/${component}`).join(', ')}`);
    },
  });
  addStateJobs(jobs, container);
  return jobs;
}
