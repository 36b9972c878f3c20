import { Container } from 'inversify';
import 'reflect-metadata';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../../src/adapters/logging/pino-logger.adapter.js';
import { ReconcileKernels } from '../../../src/application/kernel/reconcile-kernels.use-case.js';
import type { ContainerSpec } from '../../../src/application/ports/container-engine.port.js';
import { UseCases, type CreatedKernel } from '../../../src/application/use-cases.js';
import type { KernelSpec } from '../../../src/domain/kernel/kernel-spec.js';
import { readHostFacts } from '../../../src/infrastructure/config/host-facts.js';
import { loadConfig } from '../../../src/infrastructure/config/load-config.js';
import { toAgentSettings } from '../../../src/infrastructure/config/to-agent-settings.js';
import { toDaemonSettings } from '../../../src/infrastructure/config/to-daemon-settings.js';
import { startJobs } from '../../../src/infrastructure/jobs/agent-jobs.js';
import type { JobSupervisor } from '../../../src/infrastructure/jobs/job-supervisor.js';
import { drivenAdaptersModule } from '../../../src/infrastructure/modules/driven-adapters.module.js';
import { type MadeAdapters, makeDrivenAdapters } from '../../../src/infrastructure/modules/make-driven-adapters.js';
import { useCasesModule } from '../../../src/infrastructure/modules/use-cases.module.js';
import { BusyTimes } from './busy-times.js';
import { OVERCOMMIT } from './kernel-request.js';
import type { Workplace } from './workplace.js';

const START_CALL_MS = 60_000;
const DESTROY_MS = 60_000;

/** The agent as it is, in this process, with its engine calls and the first answers of its runners timed. */
export class LocalAgent implements AsyncDisposable {
  /** Of the container that was made last. */
  lastSpec: ContainerSpec | undefined;
  /** Engine calls so far. */
  engineCalls = 0;
  readonly busy = new BusyTimes();

  private constructor(
    readonly adapters: MadeAdapters,
    readonly container: Container,
    private readonly jobs: { current?: JobSupervisor },
  ) {}

  get useCases(): UseCases {
    return this.container.get<UseCases>(UseCases);
  }

  /** `jobs` = the periodic work goes on as in the daemon. */
  static async start(
    workplace: Workplace,
    options: { readonly jobs: boolean },
    signal: AbortSignal,
  ): Promise<LocalAgent> {
    Object.assign(process.env, OVERCOMMIT);
    const config = loadConfig({ file: workplace.configFile, env: {}, cwd: workplace.directory, home: homedir() });
    const host = readHostFacts();
    const settings = toAgentSettings(config, host, 'bench');
    const file = join(workplace.directory, 'agent.log');
    const log = { file, maxBytes: 0, backups: 0 };
    const logger = createLogger({ agentId: settings.agentId, level: 'info', file: log });
    const call = { signal, timeoutMs: START_CALL_MS };
    const adapters = await makeDrivenAdapters(settings, toDaemonSettings(config, host), logger, call);
    const container = new Container();
    const agent = new LocalAgent(adapters, container, {});
    const engine = agent.busy.watch(adapters.engine, undefined, (name, args) => {
      agent.engineCalls += 1;
      if (name === 'createContainer') agent.lastSpec = args[0] as ContainerSpec;
    });
    const runners = {
      connect: async (address: Parameters<typeof adapters.runners.connect>[0]) =>
        agent.busy.watch(await adapters.runners.connect(address), ['status']),
    };
    container.load(drivenAdaptersModule({ ...adapters, engine, runners }), useCasesModule);
    await container.get(ReconcileKernels).recover(signal);
    if (options.jobs) agent.jobs.current = startJobs(container, Date.now());
    return agent;
  }

  async create(
    spec: KernelSpec,
    signal: AbortSignal,
  ): Promise<{ readonly kernel: CreatedKernel; readonly ms: number; readonly ownMs: number }> {
    this.busy.clear();
    const began = performance.now();
    const kernel = await this.useCases.createKernel(spec, signal);
    const ended = performance.now();
    const ms = ended - began;
    return { kernel, ms, ownMs: ms - this.busy.between(began, ended) };
  }

  async destroy(spec: Pick<KernelSpec, 'kernelId'>): Promise<void> {
    await this.useCases.destroyKernel(
      { kernelId: spec.kernelId, reason: 'user-requested', suppressEvents: false },
      AbortSignal.timeout(DESTROY_MS),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.useCases.listKernels().map((kernel) => this.destroy(kernel)));
    await this.jobs.current?.[Symbol.asyncDispose]();
    await this.adapters[Symbol.asyncDispose]();
  }
}
