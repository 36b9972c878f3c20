import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { homedir, tmpdir } from 'node:os';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Container } from 'inversify';
import { buildRunner } from '../../scripts/build-runner.mjs';
import { DockerContainerEngine } from '../../src/adapters/docker/docker-container-engine.adapter.js';
import { NodeRunnerRuntime } from '../../src/adapters/runner-runtime/node-runner-runtime.adapter.js';
import type { AgentSettings } from '../../src/application/agent-settings.js';
import { ReconcileKernels } from '../../src/application/kernel/reconcile-kernels.use-case.js';
import type { KernelRunnerAddress } from '../../src/application/ports/kernel-runner.port.js';
import type { AnnouncedEvent } from '../../src/application/ports/event-bus.port.js';
import { type CreatedKernel, UseCases } from '../../src/application/use-cases.js';
import type { AgentEventBodies } from '../../src/domain/event/agent-event.js';
import type { ConsoleItem, ExecutionResult } from '../../src/domain/execution/execution.js';
import { type KernelId, parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { readHostFacts } from '../../src/infrastructure/config/host-facts.js';
import { loadConfig } from '../../src/infrastructure/config/load-config.js';
import { toAgentSettings } from '../../src/infrastructure/config/to-agent-settings.js';
import { toDaemonSettings } from '../../src/infrastructure/config/to-daemon-settings.js';
import { startJobs } from '../../src/infrastructure/jobs/agent-jobs.js';
import { drivenAdaptersModule } from '../../src/infrastructure/modules/driven-adapters.module.js';
import { makeDrivenAdapters, type MadeAdapters } from '../../src/infrastructure/modules/make-driven-adapters.js';
import { useCasesModule } from '../../src/infrastructure/modules/use-cases.module.js';
import { AgentHome, type AgentHomeOptions } from './agent-home.js';
import { kernelSpec } from './kernel-records.js';
import { MemoryLogger } from './memory-logger.js';

const run = promisify(execFile);
const CALL_MS = 60_000;
const RUN_MS = 60_000;

export interface LocalAgentOptions extends AgentHomeOptions {
  /** Of an engine in place of the machine's own: a proxy. */
  readonly socketPath?: string;
  readonly settings?: (settings: AgentSettings) => AgentSettings;
}

/** What one run printed and how it ended. */
export interface RunOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly status: ExecutionResult['status'];
}

/**
 * The agent on the real engine, in this process and without servers, in a home of its own. Disposing it destroys what it
 * still has.
 */
export class LocalAgent implements AsyncDisposable {
  readonly events: AnnouncedEvent[] = [];
  readonly logger: MemoryLogger;

  private constructor(
    readonly home: AgentHome,
    readonly useCases: UseCases,
    readonly settings: AgentSettings,
    private readonly adapters: MadeAdapters,
    private readonly jobs: AsyncDisposable,
    private readonly bundle: string,
    private readonly options: LocalAgentOptions,
    private readonly connections: readonly AsyncDisposable[],
    logger: MemoryLogger,
  ) {
    this.logger = logger;
    // What was told while it recovered too.
    useCases.subscribe((event) => this.events.push(event), 0);
  }

  static async start(options: LocalAgentOptions = {}): Promise<LocalAgent> {
    const home = await AgentHome.make(options);
    const bundle = await mkdtemp(join(tmpdir(), 'backend-ai-runner-'));
    await buildRunner(bundle);
    return LocalAgent.#live(home, bundle, options);
  }

  /** As if its process had been killed and started again. Only the new one may be used and disposed of after it. */
  async again(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<LocalAgent> {
    await this.jobs[Symbol.asyncDispose]();
    await Promise.all(this.connections.map((connection) => connection[Symbol.asyncDispose]()));
    await this.adapters[Symbol.asyncDispose]();
    await meanwhile();
    return LocalAgent.#live(this.home, this.bundle, this.options);
  }

  static async #live(home: AgentHome, bundle: string, options: LocalAgentOptions): Promise<LocalAgent> {
    const config = loadConfig({ file: home.configFile, env: {}, cwd: home.folder, home: homedir() });
    const host = readHostFacts();
    const made = toAgentSettings(config, host, 'test');
    const settings = options.settings?.(made) ?? made;
    const daemon = toDaemonSettings(config, host);
    const logger = new MemoryLogger();
    const adapters = await makeDrivenAdapters(settings, daemon, logger, { signal: deadline(CALL_MS) });
    const { socketPath } = options;
    const engine = socketPath === undefined ? adapters.engine : engineAt(socketPath);
    const runtime = new NodeRunnerRuntime({ runtimeRoot: daemon.paths.runtime, bundleDirectory: bundle });
    const container = new Container();
    const connections: AsyncDisposable[] = [];
    const runners = {
      connect: async (address: KernelRunnerAddress) => {
        const runner = await adapters.runners.connect(address);
        connections.push(runner);
        return runner;
      },
    };
    container.load(drivenAdaptersModule({ ...adapters, engine, runtime, runners }), useCasesModule);
    await container.get(ReconcileKernels).recover(deadline(CALL_MS));
    const jobs = startJobs(container, Date.now());
    const useCases = container.get<UseCases>(UseCases);
    return new LocalAgent(home, useCases, settings, adapters, jobs, bundle, options, connections, logger);
  }

  create(image: string, changes: Partial<KernelSpec> = {}, signal = deadline(CALL_MS)): Promise<CreatedKernel> {
    return this.useCases.createKernel(
      kernelSpec({
        kernelId: newKernelId(),
        image: { canonical: image, isLocal: true, autoPull: 'none' },
        resourceSlots: { cpu: '1', mem: '256m' },
        ...changes,
      }),
      signal,
    );
  }

  async destroy(kernelId: KernelId): Promise<void> {
    const request = { kernelId, reason: 'user-requested', suppressEvents: false } as const;
    await this.useCases.destroyKernel(request, deadline(CALL_MS));
  }

  /** Runs code to its end. */
  async run(kernelId: KernelId, code: string, onOutput: (text: string) => void = () => undefined): Promise<RunOutcome> {
    const signal = deadline(RUN_MS);
    const console: ConsoleItem[] = [];
    let runId: string | null = null;
    for (;;) {
      const mode: 'query' | 'continue' = runId === null ? 'query' : 'continue';
      const result: ExecutionResult = await this.useCases.execute(
        { kernelId, runId, mode, code, flushTimeoutMs: 200 },
        signal,
      );
      runId = result.runId;
      console.push(...result.console);
      for (const [, text] of result.console) if (typeof text === 'string') onOutput(text);
      if (result.status === 'finished' || result.status === 'exec-timeout') {
        const all = (name: string) => console.map(([stream, text]) => (stream === name ? String(text) : '')).join('');
        return { stdout: all('stdout'), stderr: all('stderr'), exitCode: result.exitCode, status: result.status };
      }
    }
  }

  endsOf(kernelId: KernelId): readonly AgentEventBodies['kernel_terminated'][] {
    return this.events.flatMap(({ event }) =>
      event.name === 'kernel_terminated' && event.body.kernel_id === kernelId ? [event.body] : [],
    );
  }

  /** What is left of any kernel on the machine, in words. Ports count when nobody can bind them. */
  async leftovers(): Promise<readonly string[]> {
    const { slots, ports } = this.useCases.status();
    const [first, last] = this.settings.container.portRange;
    const range = Array.from({ length: last - first + 1 }, (_, index) => first + index);
    const bound = await Promise.all(range.map(async (port) => ((await canBind(port)) ? [] : [`port ${port}`])));
    return [
      ...(await this.home.containers()).map((id) => `container ${id}`),
      ...(await this.home.scratches()).filter((name) => !name.startsWith('.')).map((name) => `scratch ${name}`),
      ...(await readdir(join(this.home.stateFolder, 'kernels'))).map((name) => `record ${name}`),
      ...bound.flat(),
      ...(ports.used > 0 ? [`${ports.used} booked ports`] : []),
      ...Object.entries(slots.occupied).flatMap(([slot, amount]) => (amount === '0' ? [] : [`${amount} of ${slot}`])),
      ...this.useCases.listKernels().map(({ kernelId, state }) => `kernel ${kernelId} ${state}`),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.useCases.listKernels().map(({ kernelId }) => this.destroy(kernelId)));
    await this.jobs[Symbol.asyncDispose]();
    await this.adapters[Symbol.asyncDispose]();
    await this.home[Symbol.asyncDispose]();
    await rm(this.bundle, { recursive: true, force: true });
  }
}

/** stdout of a `docker` command. */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout.trim();
}

export function newKernelId(): KernelId {
  return parseKernelId(crypto.randomUUID());
}

function deadline(ms: number): AbortSignal {
  return AbortSignal.timeout(ms);
}

function engineAt(socketPath: string): DockerContainerEngine {
  return new DockerContainerEngine({ endpoint: { kind: 'unix', socketPath, origin: 'a test' } });
}

function canBind(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
