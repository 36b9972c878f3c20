import { Container } from 'inversify';
import { IdentityLock } from '../adapters/host/identity-lock.js';
import { InstanceLock } from '../adapters/host/instance-lock.js';
import { ensureFree } from '../adapters/rpc/callosum/bind-address.js';
import type { CurveKeys } from '../adapters/rpc/callosum/router.js';
import { AnnounceService } from '../application/agent/announce-service.use-case.js';
import { AnswerVolumeMessages } from '../application/agent/answer-volume-messages.js';
import { HealthMonitor } from '../application/agent/health-monitor.js';
import { Readiness } from '../application/agent/readiness.js';
import { RegisterAgent } from '../application/agent/register-agent.use-case.js';
import { messageOf } from '../domain/error/agent-error.js';
import type { AgentSettings } from '../application/agent-settings.js';
import { BackgroundTasks } from '../application/background-task/background-tasks.js';
import { CommitKernel } from '../application/image/commit-kernel.use-case.js';
import { ContainerLogKeeper } from '../application/kernel/container-log-keeper.js';
import { KernelRegistry } from '../application/kernel/kernel-registry.js';
import { ReconcileKernels } from '../application/kernel/reconcile-kernels.use-case.js';
import type { Clock } from '../application/ports/clock.port.js';
import type { ConfigSource } from '../application/ports/config-source.port.js';
import type { Logger } from '../application/ports/logger.port.js';
import { UseCases } from '../application/use-cases.js';
import { formatHostPort } from './config/value-type.js';
import type { DaemonSettings } from './config/to-daemon-settings.js';
import { ensureToken } from './config/watcher-token.js';
import { curveKeys } from './curve-keys.js';
import { startJobs } from './jobs/agent-jobs.js';
import { drivenAdaptersModule } from './modules/driven-adapters.module.js';
import { type MadeAdapters, makeDrivenAdapters } from './modules/make-driven-adapters.js';
import { useCasesModule } from './modules/use-cases.module.js';
import { keepQuiet } from './quiet-engine.js';
import { readPem } from './read-pem.js';

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly daemon: DaemonSettings;
  readonly logger: Logger;
  /** The cluster's; absent on a machine of its own. Stays the caller's. */
  readonly configSource?: ConfigSource;
  /** Whether RPC and HTTP listen. */
  readonly servers: boolean;
}

/** Deadline of each engine call at start. */
const START_CALL_MS = 60_000;
/** What stopping may take together is bounded by the daemon. */
const JOBS_END_MS = 700;
const LEAVE_MS = 500;

/**
 * A running agent.
 *
 * Start order: locks, RPC address free → engine and devices → records of an earlier life → RPC bound → HTTP bound → registered → jobs →
 * announced: no heartbeat before a Manager can call. Disposing stops it in reverse and leaves the kernels alone.
 */
export class Agent implements AsyncDisposable {
  private constructor(
    readonly useCases: UseCases,
    private readonly adapters: MadeAdapters,
    private readonly readiness: Readiness,
    private readonly jobs: AsyncDisposable,
    private readonly parts: AsyncDisposable[],
  ) {}

  static async start(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
    const { daemon, logger, configSource } = options;
    const parts: AsyncDisposable[] = [];
    try {
      parts.push(await InstanceLock.acquire(daemon.paths.varBase));
      parts.push(await IdentityLock.acquire(options.settings.agentId));
      const curve = await curveKeys(daemon.rpc);
      const settings = { ...options.settings, rpcPublicKey: curve?.publicKey ?? null };
      // An agent of another make knows no locks. While it runs, its kernels are not ours to tidy up.
      if (options.servers) await ensureFree(rpcAddress(daemon));
      const startedAtMs = Date.now();
      const call = { signal, timeoutMs: START_CALL_MS };
      const adapters = await makeDrivenAdapters(settings, daemon, logger, call, configSource);
      parts.push(adapters);
      // The first kernel need not wait for it; if it fails, that kernel's creation tries again and tells why.
      adapters.runtime.prepare({ signal }).catch(() => undefined);
      const container = new Container();
      container.load(drivenAdaptersModule(adapters), useCasesModule);
      const registration = container.get(RegisterAgent);
      await Promise.all([
        container.get(ReconcileKernels).recover(signal),
        registered(registration, 'starting', logger, signal),
      ]);
      const tasks = container.get(BackgroundTasks);
      await tasks.recover();
      void container.get(CommitKernel).recover(signal);
      const useCases = container.get<UseCases>(UseCases);
      parts.push(workInHand(container.get(KernelRegistry)));
      parts.push({ [Symbol.asyncDispose]: () => tasks.stop() });
      if (options.servers) {
        parts.push(await startServers(options, curve, useCases, adapters));
      }
      parts.push(leaving(registration, logger));
      parts.push(untilStopped(container.get(AnswerVolumeMessages).listen()));
      if (adapters.state.isShared) parts.push(stateEnd(container, adapters.clock));
      await Promise.all([
        container.get(HealthMonitor).probeAll(signal),
        registered(registration, 'running', logger, signal),
      ]);
      const jobs = startJobs(container, startedAtMs);
      parts.push(jobs);
      const readiness = container.get(Readiness);
      readiness.ready = true;
      await adapters.events.announce({ name: 'agent_started', body: { reason: 'self-started' } });
      logger.info('agent ready', { slots: adapters.book.totals() });
      if (options.servers) keepQuiet(process.versions.node);
      return new Agent(useCases, adapters, readiness, jobs, parts);
    } catch (error) {
      await disposeAll(parts);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.readiness.ready = false;
    // A heartbeat after the farewell would bring the agent back to life in the Manager's books (W-E5 of state.md §10).
    await Promise.race([this.jobs[Symbol.asyncDispose](), this.adapters.clock.sleep(JOBS_END_MS)]);
    await this.adapters.events.announce({ name: 'agent_terminated', body: { reason: 'shutdown' } });
    await disposeAll(this.parts);
  }
}

/** etcd may be away just now: the job of the same purpose tries on. */
async function registered(
  registration: RegisterAgent,
  status: 'starting' | 'running',
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  try {
    await registration.execute(status, signal);
  } catch (error) {
    signal.throwIfAborted();
    logger.warn('not registered in etcd yet', { error: messageOf(error) });
  }
}

function leaving(registration: RegisterAgent, logger: Logger): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: () =>
      registration.leave(AbortSignal.timeout(LEAVE_MS)).catch((error: unknown) => {
        logger.warn('still registered in etcd; that ends by itself', { error: messageOf(error) });
      }),
  };
}

/** Nobody finds this agent's metrics any longer, and logs that still could not be stored are given up. */
function stateEnd(container: Container, clock: Clock): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      container.get(ContainerLogKeeper)[Symbol.dispose]();
      const withdrawn = container.get(AnnounceService).withdraw(AbortSignal.timeout(LEAVE_MS));
      await Promise.race([withdrawn, clock.sleep(LEAVE_MS)]);
    },
  };
}

/** Kernels that are being made, ended or undone when the agent stops: what is finished now is not repeated later. */
function workInHand(registry: KernelRegistry): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      const works = registry.all().flatMap(({ creation, restart, adoption, termination }): Promise<unknown>[] => {
        return [creation, restart, adoption, termination].filter((work) => work !== undefined);
      });
      await Promise.allSettled(works);
    },
  };
}

function untilStopped(part: Disposable): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: () => {
      part[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** RPC and HTTP. They stop side by side: each gives its calls some time to end. */
async function startServers(
  options: AgentOptions,
  curve: CurveKeys | undefined,
  useCases: UseCases,
  adapters: MadeAdapters,
): Promise<AsyncDisposable> {
  const rpc = await startRpc(options, curve, useCases, adapters);
  try {
    const http = await startHttp(options, useCases, adapters);
    return {
      [Symbol.asyncDispose]: async () => {
        await Promise.all([http[Symbol.asyncDispose](), rpc[Symbol.asyncDispose]()]);
      },
    };
  } catch (error) {
    await rpc[Symbol.asyncDispose]();
    throw error;
  }
}

/** Last one first, each even if another fails; the first failure is what is told. */
async function disposeAll(parts: AsyncDisposable[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts.splice(0).reverse()) {
    try {
      await part[Symbol.asyncDispose]();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0] as Error;
}

async function startRpc(
  { settings, daemon, logger }: AgentOptions,
  curve: CurveKeys | undefined,
  useCases: UseCases,
  adapters: MadeAdapters,
): Promise<AsyncDisposable> {
  const { RpcServer } = await import('../adapters/rpc/rpc-server.js');
  const server = new RpcServer(
    { agentId: settings.agentId, address: rpcAddress(daemon), curve },
    useCases,
    adapters.telemetry,
    logger.child({ component: 'rpc' }),
    adapters.clock,
  );
  await server.start();
  logger.info('RPC listens', { address: server.endpoint, curve: curve !== undefined });
  return server;
}

async function startHttp(
  { daemon, logger }: AgentOptions,
  useCases: UseCases,
  adapters: MadeAdapters,
): Promise<AsyncDisposable> {
  // An embedded agent has no servers, and this is the largest part of all that is imported.
  const { createHttpServer } = await import('../adapters/http/http-server.js');
  const server = createHttpServer({
    useCases,
    metrics: () => adapters.telemetry.text(),
    telemetry: adapters.telemetry,
    token: [await ensureToken(daemon.http), daemon.http.clusterToken ?? ''],
    logger: logger.child({ component: 'http' }),
    clock: adapters.clock,
    ids: adapters.ids,
    listen: await Promise.all(daemon.http.listen.map(withKeys)),
  });
  await server.start();
  logger.info('HTTP listens', { addresses: server.addresses });
  return server;
}

function rpcAddress({ rpc }: DaemonSettings): string {
  return `tcp://${formatHostPort(rpc.listen)}`;
}

/** An address with the texts of its TLS files. */
async function withKeys({ host, port, tls }: DaemonSettings['http']['listen'][number]) {
  if (tls === undefined) return { host, port };
  const [cert, key] = await Promise.all([
    readPem('agent.ssl-cert', tls.certFile),
    readPem('agent.ssl-key', tls.keyFile),
  ]);
  return { host, port, tls: { cert, key } };
}
