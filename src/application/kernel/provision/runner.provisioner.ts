import { inject, injectable } from 'inversify';
import { isAbortError } from '../../../domain/error/agent-error.js';
import { containerStartupTimeout } from '../../../domain/error/errors.js';
import { AgentSettings } from '../../agent-settings.js';
import { RunSession } from '../../execution/run-session.js';
import type { Call } from '../../ports/call.js';
import { Clock } from '../../ports/clock.port.js';
import { IdGenerator } from '../../ports/id-generator.port.js';
import { type KernelRunner, KernelRunnerConnector, type RunnerStatus } from '../../ports/kernel-runner.port.js';
import type { LiveKernel } from '../live-kernel.js';
import { PostMortem } from '../post-mortem.js';
import type { Provisioner } from './provisioner.js';

/** How long one `status` is waited for before looking whether the container still lives. */
const ATTEMPT_MS = 1_000;
/** A connection that fails at once must not be asked in a tight loop. */
const PAUSE_MS = 20;

/** The program in the container answers (krunner.md §3.9). */
@injectable()
export class RunnerProvisioner implements Provisioner {
  readonly name = 'runner';
  readonly onRestart = 'remake';
  readonly takesTurn = true;

  constructor(
    @inject(KernelRunnerConnector) private readonly connector: KernelRunnerConnector,
    @inject(PostMortem) private readonly postMortem: PostMortem,
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(Clock) private readonly clock: Clock,
    @inject(IdGenerator) private readonly ids: IdGenerator,
  ) {}

  async setup(live: LiveKernel, call: Call): Promise<void> {
    await this.#connect(live, call, false);
    const runner = live.runner;
    if (!runner) return;
    const apps = await runner.apps(call);
    const published = new Set(live.kernel.servicePorts.map((port) => port.name));
    live.apps = apps.filter((app) => published.has(app.name));
  }

  async teardown(live: LiveKernel): Promise<void> {
    const { runner, session } = live;
    live.session = undefined;
    live.runner = undefined;
    await session?.close(live.kernel.terminationReason ?? 'restarting');
    await runner?.[Symbol.asyncDispose]();
  }

  adopt(live: LiveKernel, call: Call): Promise<void> {
    return this.#connect(live, call, true);
  }

  async #connect(live: LiveKernel, call: Call, isRecovered: boolean): Promise<void> {
    await this.teardown(live);
    const runner = await this.connector.connect({
      host: '127.0.0.1',
      replInPort: live.kernel.replInPort,
      replOutPort: live.kernel.replOutPort,
    });
    live.runner = runner;
    // Before the first answer: what the runner kept for an agent comes ahead of it.
    const session = new RunSession(runner, this.clock, this.ids, { isRecovered });
    const { runs } = await this.#untilReady(live, runner, call.signal);
    if (isRecovered && runs) session.learn(runs);
    live.session = session;
  }

  async #untilReady(live: LiveKernel, runner: KernelRunner, signal: AbortSignal): Promise<RunnerStatus> {
    const { initMs } = this.settings.timeouts;
    using deadline = this.clock.deadline(initMs, signal);
    for (;;) {
      try {
        return await runner.status({ signal: deadline.signal, timeoutMs: ATTEMPT_MS });
      } catch (error) {
        if (deadline.expired) {
          throw containerStartupTimeout(`the kernel runner did not answer within ${initMs / 1000} s`, {
            hint: 'a bootstrap script may be slow: raise [kernel-lifecycles] init-timeout-sec',
            cause: error,
          });
        }
        if (isAbortError(error) || signal.aborted) throw error;
      }
      await this.postMortem.mustLive(live.kernel.containerId ?? '', { signal });
      await this.clock.sleep(PAUSE_MS, signal);
    }
  }
}
