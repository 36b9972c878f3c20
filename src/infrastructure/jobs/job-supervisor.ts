import { setMaxListeners } from 'node:events';
import { isUnexpected, messageOf } from '../../domain/error/agent-error.js';
import type { Clock } from '../../application/ports/clock.port.js';
import type { Logger } from '../../application/ports/logger.port.js';

/** Work that comes again and again. */
export interface PeriodicJob {
  readonly name: string;
  /** From the end of a run to the next; whole seconds end on the nearest tick, half a second from it at most. */
  readonly intervalMs: number;
  /** One run may take this long at most. */
  readonly deadlineMs: number;
  run(signal: AbortSignal): Promise<unknown>;
}

/** Work that goes on until it is stopped, such as reading an event stream; begun again if it ends by itself. */
export interface EndlessJob {
  readonly name: string;
  run(signal: AbortSignal): Promise<unknown>;
}

const RESTART_PAUSE_MS = 1_000;
/** What a dependency kept from being done is done soon after it is back, however long the interval. */
const FAILED_PAUSE_MS = 3_000;
/** Pauses end on common ticks: an idle agent wakes once for all that is due, and each wake-up costs more than most jobs. */
const TICK_MS = 1_000;

/** Keeps jobs running: a run that throws or hangs is logged, and the job comes again. The same failure is told once. */
export class JobSupervisor implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  /** By the time of their end. */
  readonly #pauses = new Map<number, Promise<void>>();

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    /** Told of what nobody foresaw. */
    private readonly report: (error: unknown, job: string) => void,
  ) {
    // Every job listens to it: more of them than Node takes for healthy.
    setMaxListeners(0, this.#stop.signal);
  }

  /** The first run starts at once. */
  every(job: PeriodicJob): void {
    this.#running.push(this.#keep(job.name, (signal) => this.#once(job, signal), job.intervalMs));
  }

  always(job: EndlessJob): void {
    this.#running.push(this.#keep(job.name, (signal) => job.run(signal), RESTART_PAUSE_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent is stopping'));
    await Promise.all(this.#running);
  }

  async #once(job: PeriodicJob, signal: AbortSignal): Promise<void> {
    using deadline = this.clock.deadline(job.deadlineMs, signal);
    await job.run(deadline.signal);
  }

  async #keep(name: string, run: (signal: AbortSignal) => Promise<unknown>, pauseMs: number): Promise<void> {
    const { signal } = this.#stop;
    const isStopped = () => signal.aborted;
    let trouble: string | undefined;
    while (!isStopped()) {
      try {
        await run(signal);
        if (trouble !== undefined) this.logger.info(`job ${name}: works again`, { job: name });
        trouble = undefined;
      } catch (error) {
        if (isStopped()) return;
        const message = messageOf(error);
        if (message !== trouble) this.logger.warn(`job ${name}: ${message}`, { job: name });
        trouble = message;
        if (isUnexpected(error)) this.report(error, name);
      }
      const pause = trouble === undefined ? pauseMs : Math.min(pauseMs, FAILED_PAUSE_MS);
      await this.#pause(pause);
    }
  }

  /** Jobs that are due at the same time share one timer. Ends early, without an error, when the agent stops. */
  #pause(ms: number): Promise<void> {
    const now = this.clock.monotonic();
    const until = ms % TICK_MS !== 0 ? now + ms : TICK_MS * Math.round((now + ms) / TICK_MS);
    let pause = this.#pauses.get(until);
    if (!pause) {
      pause = this.clock
        .sleep(until - now, this.#stop.signal)
        .catch(() => undefined)
        .finally(() => this.#pauses.delete(until));
      this.#pauses.set(until, pause);
    }
    return pause;
  }
}
