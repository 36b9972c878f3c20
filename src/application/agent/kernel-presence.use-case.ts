import { inject, injectable } from 'inversify';
import { messageOf } from '../../domain/error/agent-error.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';
import { AgentSettings } from '../agent-settings.js';
import { DestroyKernel } from '../kernel/destroy-kernel.use-case.js';
import { KernelRegistry } from '../kernel/kernel-registry.js';
import type { LiveKernel } from '../kernel/live-kernel.js';
import { Logger } from '../ports/logger.port.js';
import { StateStore } from '../ports/state-store.port.js';

const PRESENCE_TTL_SECONDS = 300;
/** A kernel that the Manager did not look at for so long, while it looked at this agent's others, is forgotten. */
const FORGOTTEN_AFTER_SECONDS = 600;

const presenceKey = (kernelId: KernelId): string => `kernel:presence:${kernelId}`;

/**
 * The two halves of the presence protocol (state.md §1.5): the agent says which kernels live, the Manager marks those that
 * it knows. All times are the server's own, in whole seconds.
 */
@injectable()
export class KernelPresence {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(KernelRegistry) private readonly registry: KernelRegistry,
    @inject(DestroyKernel) private readonly destroyer: DestroyKernel,
    @inject(StateStore) private readonly state: StateStore,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** Rejects if the store is away. Nothing is ever written about a kernel that does not run. */
  async tell(): Promise<void> {
    const running = this.#running();
    if (running.length === 0) return;
    const last_presence = String(Math.floor((await this.state.time('live')) / 1000));
    const keys = running.map(({ kernel }) => presenceKey(kernel.id));
    await this.state.setHashes('live', keys, { presence: '1', last_presence }, PRESENCE_TTL_SECONDS);
  }

  /** Destroys kernels that the Manager forgot, and tells nobody: it would not know them. In doubt a kernel lives. */
  async endOrphans(signal: AbortSignal): Promise<void> {
    const agentCheck = seconds(await this.#text(`agent:last_check:${this.settings.agentId}`));
    if (agentCheck === undefined) return;
    const marked = await Promise.all(
      this.#running().map(async (live) => {
        const { last_check } = await this.state.getHash('live', presenceKey(live.kernel.id));
        return { live, kernelCheck: seconds(last_check) };
      }),
    );
    const orphans = marked.filter(
      ({ kernelCheck }) => kernelCheck !== undefined && kernelCheck < agentCheck - FORGOTTEN_AFTER_SECONDS,
    );
    await Promise.all(orphans.map(({ live }) => this.#destroy(live, signal)));
  }

  #running(): readonly LiveKernel[] {
    return this.registry.all().filter(({ kernel, busy }) => kernel.state === 'RUNNING' && !busy);
  }

  async #destroy({ kernel }: LiveKernel, signal: AbortSignal): Promise<void> {
    this.logger.warn('the Manager forgot a kernel: it is destroyed', { kernel_id: kernel.id });
    const ids = { kernelId: kernel.id, sessionId: kernel.sessionId };
    try {
      await this.destroyer.execute({ ...ids, reason: 'not-found-in-manager', suppressEvents: true }, signal);
    } catch (error) {
      this.logger.warn(`could not destroy it yet: ${messageOf(error)}`, { kernel_id: kernel.id });
    }
  }

  async #text(key: string): Promise<string | undefined> {
    const bytes = await this.state.get('live', key);
    return bytes && new TextDecoder().decode(bytes);
  }
}

/** `undefined` for all that is no plain number: then nothing follows from it. */
function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
