import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import { engineConflict } from '../../domain/error/errors.js';
import { LABELS } from '../../domain/kernel/container-labels.js';
import { checkNetworkName } from '../../domain/network/cluster-network.js';
import { AgentSettings } from '../agent-settings.js';
import { Semaphore } from '../concurrency/semaphore.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import { Clock } from '../ports/clock.port.js';
import { ContainerEngine } from '../ports/container-engine.port.js';
import { Logger } from '../ports/logger.port.js';

/** As the reference labels them (lifecycle.md §9.1). */
const CLUSTER_LABEL = { 'ai.backend.cluster-network': '1' };
/** A Manager makes the kernels right after their network, and removes it right after them. */
const UNUSED_MS = 600_000;

/**
 * Bridge networks that the kernels of a session share on this node. The Manager makes and removes them; those that it
 * forgot are found by their labels and removed when no kernel used them for a while.
 */
@injectable()
export class ClusterNetworks {
  /** One change at a time: an engine lets two networks of one name come into being when it is asked twice at once. */
  readonly #turn = new Semaphore(1);
  /** Name → monotonic time since which no kernel here wants it. */
  readonly #unusedSince = new Map<string, number>();

  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(ContainerEngine) private readonly engine: ContainerEngine,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(Clock) private readonly clock: Clock,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Idempotent. */
  async create(name: string, signal: AbortSignal): Promise<void> {
    checkNetworkName(name);
    const labels = { ...CLUSTER_LABEL, [LABELS.owner]: this.settings.agentId };
    await this.#alone(signal, async () => {
      this.#unusedSince.delete(name);
      try {
        await this.engine.createNetwork(name, labels, { signal });
        this.logger.info('cluster network made', { network: name });
      } catch (error) {
        if (!isConflict(error)) throw error;
      }
    });
  }

  /** Gone already is a success. Throws ContainerEngineConflictError while containers are in it. */
  async destroy(name: string, signal: AbortSignal): Promise<void> {
    checkNetworkName(name);
    await this.#alone(signal, async () => {
      // By label: whatever else has that name on this host is not the Manager's to remove.
      const networks = await this.engine.listNetworks(CLUSTER_LABEL, { signal });
      for (const { id } of networks.filter((network) => network.name === name)) await this.#remove(id, name, signal);
      this.#unusedSince.delete(name);
    });
  }

  /** Removes our own networks that no kernel wanted for ten minutes, whoever forgot them. */
  tidy(signal: AbortSignal): Promise<void> {
    return this.#alone(signal, () => this.#tidy(signal));
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const labels = { ...CLUSTER_LABEL, [LABELS.owner]: this.settings.agentId };
    const networks = await this.engine.listNetworks(labels, { signal });
    const wanted = new Set(this.registry.all().map(({ kernel }) => kernel.spec.cluster.networkConfig['network_name']));
    const unused = networks.filter(({ name }) => !wanted.has(name));
    const now = this.clock.monotonic();
    for (const name of this.#unusedSince.keys()) {
      if (!unused.some((network) => network.name === name)) this.#unusedSince.delete(name);
    }
    for (const { id, name } of unused) {
      const since = this.#unusedSince.get(name) ?? now;
      this.#unusedSince.set(name, since);
      if (now - since < UNUSED_MS) continue;
      this.#unusedSince.delete(name);
      try {
        await this.#remove(id, name, signal);
      } catch (error) {
        // Somebody else's container is in it: looked at again after the same time.
        if (!isConflict(error)) throw error;
        this.logger.info(`unused cluster network kept: ${messageOf(error)}`, { network: name });
      }
    }
  }

  async #alone(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const turn = await this.#turn.acquire(signal);
    try {
      await work();
    } finally {
      turn[Symbol.dispose]();
    }
  }

  async #remove(id: string, name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.engine.removeNetwork(id, { signal });
    } catch (error) {
      if (!isConflict(error)) throw error;
      throw engineConflict(`network ${name} is still used: ${messageOf(error)}`, {
        field: 'network_name',
        retryable: true,
        hint: 'destroy the kernels that are in it first',
        cause: error,
      });
    }
    this.logger.info('cluster network removed', { network: name });
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof Error && error.name === engineConflict('').name;
}
