import { inject, injectable } from 'inversify';
import { messageOf } from '../../../domain/error/agent-error.js';
import { AgentSettings } from '../../agent-settings.js';
import { Semaphore } from '../../concurrency/semaphore.js';
import { Clock } from '../../ports/clock.port.js';
import { EventBus } from '../../ports/event-bus.port.js';
import { Logger } from '../../ports/logger.port.js';
import { Telemetry } from '../../ports/telemetry.port.js';
import type { LiveKernel } from '../live-kernel.js';
import { type Provisioner, Provisioners } from './provisioner.js';

/** A teardown must end even when whatever started it was cancelled. */
const TEARDOWN_DEADLINE_MS = 120_000;

type Which = (stage: Provisioner) => boolean;
const every: Which = () => true;

/** Runs stages forward with a timing and an event each, and backward without ever stopping half-way. */
@injectable()
export class StageRunner {
  /** One for the whole agent: a limit per call would not hold across sessions. */
  readonly #turns: Semaphore;

  constructor(
    @inject(AgentSettings) settings: AgentSettings,
    @inject(Provisioners) private readonly stages: Provisioners,
    @inject(Clock) private readonly clock: Clock,
    @inject(EventBus) private readonly events: EventBus,
    @inject(Telemetry) private readonly telemetry: Telemetry,
    @inject(Logger) private readonly logger: Logger,
  ) {
    this.#turns = new Semaphore(settings.kernelCreationConcurrency);
  }

  /**
   * Sets up the stages that `which` selects, in order, and does `afterEach` after each. From the first one that takes a
   * turn to the end it holds that turn; waiting for it is in no stage's timing. Stops at the first failure.
   */
  async setUp(
    live: LiveKernel,
    signal: AbortSignal,
    which: Which = every,
    afterEach: (stage: Provisioner) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    let turn: Disposable | undefined;
    try {
      for (const stage of this.stages.filter(which)) {
        signal.throwIfAborted();
        if (stage.takesTurn) turn ??= await this.#turns.acquire(signal);
        await this.#setUp(live, stage, signal);
        await afterEach(stage);
      }
      signal.throwIfAborted();
    } finally {
      turn?.[Symbol.dispose]();
    }
  }

  /** Tears down every begun stage that `which` selects, last one first, each even if another fails. */
  async unwind(live: LiveKernel, which: Which = every): Promise<readonly Error[]> {
    const failures: Error[] = [];
    const begun = this.stages.slice(0, live.reached + 1).filter(which);
    for (const stage of begun.reverse()) {
      using deadline = this.clock.deadline(TEARDOWN_DEADLINE_MS);
      try {
        await stage.teardown(live, { signal: deadline.signal });
      } catch (error) {
        failures.push(error instanceof Error ? error : new Error(messageOf(error)));
        this.logger.error(`could not tear down ${stage.name}: ${messageOf(error)}`, {
          kernel_id: live.kernel.id,
          stage: stage.name,
        });
      }
    }
    return failures;
  }

  /** Gives everything back to the books: for a kernel of which nothing is left. */
  release(live: LiveKernel): void {
    for (const stage of this.stages) stage.release?.(live);
  }

  /** The stage that was begun last, if any. */
  lastBegun(live: LiveKernel): Provisioner | undefined {
    return this.stages[live.reached];
  }

  async #setUp(live: LiveKernel, stage: Provisioner, signal: AbortSignal): Promise<void> {
    live.reached = Math.max(live.reached, this.stages.indexOf(stage));
    const began = this.clock.monotonic();
    await stage.setup(live, { signal });
    const elapsedMs = this.clock.monotonic() - began;
    live.timingsMs[stage.name] = elapsedMs;
    this.telemetry.observe('backendai_kernel_creation_stage_duration_seconds', elapsedMs / 1000, { stage: stage.name });
    await this.events.announce({
      name: 'kernel_stage',
      body: {
        kernel_id: live.kernel.id,
        session_id: live.kernel.sessionId,
        stage: stage.name,
        elapsed_ms: Math.round(elapsedMs * 100) / 100,
        message: '',
      },
    });
  }
}
