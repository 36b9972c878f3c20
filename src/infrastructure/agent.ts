import { Container } from 'inversify';
import { IdentityLock } from '../adapters/host/identity-lock.js';
import { InstanceLock } from '../adapters/host/instance-lock.js';
import type { CurveKeys } from '../adapters/rpc/callosum/callosum-server.js';
import { loadCertificate } from '../adapters/rpc/callosum/certificate.js';
import { HealthMonitor } from '../application/agent/health-monitor.js';
import { Readiness } from '../application/agent/readiness.js';
import { configurationInvalid } from '../domain/error/errors.js';
import type { AgentSettings } from '../application/agent-settings.js';
import { KernelRegistry } from '../application/kernel/kernel-registry.js';
import { ReconcileKernels } from '../application/kernel/reconcile-kernels.use-case.js';
import type { Logger } from '../application/ports/logger.port.js';
import { UseCases } from '../application/use-cases.js';
import { formatHostPort } from './config/value-type.js';
import type { DaemonSettings } from './config/to-daemon-settings.js';
import { ensureToken } from './config/watcher-token.js';
import { startJobs } from './jobs/agent-jobs.js';
import { drivenAdaptersModule } from './modules/driven-adapters.module.js';
import { type MadeAdapters, makeDrivenAdapters } from './modules/make-driven-adapters.js';
import { useCasesModule } from './modules/use-cases.module.js';

export interface AgentOptions {
  readonly settings: AgentSettings;
  readonly daemon: DaemonSettings;
  readonly logger: Logger;
  /** Whether RPC and HTTP listen. */
  readonly servers: boolean;
}

/** Deadline of each engine call at start. */
const START_CALL_MS = 60_000;

/**
 * A running agent.
 *
 * Start order: locks → engine and devices → records of an earlier life → RPC bound → HTTP bound → jobs → announced.
 * Disposing stops it in reverse and leaves the kernels alone.
 */
export class Agent implements AsyncDisposable {
  private constructor(
    readonly useCases: UseCases,
    private readonly adapters: MadeAdapters,
    private readonly readiness: Readiness,
    private readonly parts: AsyncDisposable[],
  ) {}

  static async start(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
    const { daemon, logger } = options;
    const curve = await curveKeys(daemon);
    const settings = { ...options.settings, rpcPublicKey: curve?.publicKey ?? null };
    const parts: AsyncDisposable[] = [];
    try {
      parts.push(await InstanceLock.acquire(daemon.paths.varBase));
      parts.push(await IdentityLock.acquire(settings.agentId));
      const startedAtMs = Date.now();
      const adapters = await makeDrivenAdapters(settings, daemon, logger, { signal, timeoutMs: START_CALL_MS });
      parts.push(adapters);
      // The first kernel need not wait for it; if it fails, that kernel's creation tries again and tells why.
      adapters.runtime.prepare({ signal }).catch(() => undefined);
      const container = new Container();
      container.load(drivenAdaptersModule(adapters), useCasesModule);
      await container.get(ReconcileKernels).recover(signal);
      const useCases = container.get<UseCases>(UseCases);
      parts.push(workInHand(container.get(KernelRegistry)));
      if (options.servers) {
        parts.push(await startServers(options, curve, useCases, adapters));
      }
      await container.get(HealthMonitor).probeAll(signal);
      parts.push(startJobs(container, startedAtMs));
      const readiness = container.get(Readiness);
      readiness.ready = true;
      await adapters.events.announce({ name: 'agent_started', body: { reason: 'self-started' } });
      logger.info('agent ready', { slots: adapters.book.totals() });
      return new Agent(useCases, adapters, readiness, parts);
    } catch (error) {
      await disposeAll(parts);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.readiness.ready = false;
    await this.adapters.events.announce({ name: 'agent_terminated', body: { reason: 'shutdown' } });
    await disposeAll(this.parts);
  }
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
    { agentId: settings.agentId, address: `tcp://${formatHostPort(daemon.rpc.listen)}`, curve },
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
    token: await ensureToken(daemon.http),
    logger: logger.child({ component: 'http' }),
    clock: adapters.clock,
    ids: adapters.ids,
    listen: daemon.http.listen,
  });
  await server.start();
  logger.info('HTTP listens', { addresses: server.addresses });
  return server;
}

/** The agent is the CURVE server; only the Manager's key is let in (rpc.md §2). */
async function curveKeys({ rpc }: DaemonSettings): Promise<CurveKeys | undefined> {
  if (!rpc.curve) return undefined;
  const own = await loadCertificate(rpc.curve.agentKeypairFile, 'agent.rpc-auth-agent-keypair');
  const manager = await loadCertificate(rpc.curve.managerPublicKeyFile, 'agent.rpc-auth-manager-public-key');
  if (own.secretKey === undefined) {
    throw configurationInvalid(`${rpc.curve.agentKeypairFile} holds no secret key`, {
      field: 'agent.rpc-auth-agent-keypair',
      allowed: 'a *.key_secret file',
    });
  }
  return { publicKey: own.publicKey, secretKey: own.secretKey, managerPublicKey: manager.publicKey };
}
