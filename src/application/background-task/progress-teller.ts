import { messageOf } from '../../domain/error/agent-error.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import type { Clock } from '../ports/clock.port.js';
import type { EventBus } from '../ports/event-bus.port.js';
import type { Logger } from '../ports/logger.port.js';

/** How far a task is; 0 of 0 = unknown. */
export type TellProgress = (current: number, total: number, message?: string) => void;

const SHORTEST_INTERVAL_MS = 1_000;
/** What was told last is kept for 300 s for those who ask later (state.md §6): it must not be forgotten meanwhile. */
const LONGEST_SILENCE_MS = 120_000;

interface Tools {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly logger: Logger;
}

/** Tells how far one task is: at most once a second, always the newest, and again in long silences. */
export class ProgressTeller implements AsyncDisposable {
  readonly #over = new AbortController();
  #latest = { current_progress: 0, total_progress: 0, message: 'Task started' };
  #toldAtMs: number;
  #isScheduled = false;
  #telling: Promise<void>;

  /** Tells the start. */
  constructor(
    private readonly taskId: string,
    private readonly tools: Tools,
  ) {
    this.#toldAtMs = tools.clock.monotonic();
    this.#telling = this.#announce();
    void this.#repeat();
  }

  /** Resolves when the start was told. */
  get begun(): Promise<void> {
    return this.#telling;
  }

  readonly tell: TellProgress = (current, total, message) => {
    if (this.#over.signal.aborted) return;
    this.#latest = {
      current_progress: current,
      total_progress: total,
      message: message ?? this.#latest.message,
    };
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const elapsedMs = this.tools.clock.monotonic() - this.#toldAtMs;
    void this.#tellAfter(Math.max(0, SHORTEST_INTERVAL_MS - elapsedMs));
  };

  /** Nothing more is told; resolves when what was told is out. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#telling;
  }

  async #tellAfter(ms: number): Promise<void> {
    if (!(await this.#pause(ms))) return;
    this.#isScheduled = false;
    this.#tellNow();
  }

  async #repeat(): Promise<void> {
    for (let waitMs = LONGEST_SILENCE_MS; await this.#pause(waitMs);) {
      const silentMs = this.tools.clock.monotonic() - this.#toldAtMs;
      if (silentMs >= LONGEST_SILENCE_MS) this.#tellNow();
      waitMs = silentMs >= LONGEST_SILENCE_MS ? LONGEST_SILENCE_MS : LONGEST_SILENCE_MS - silentMs;
    }
  }

  #tellNow(): void {
    this.#toldAtMs = this.tools.clock.monotonic();
    this.#telling = this.#telling.then(() => this.#announce());
  }

  async #announce(): Promise<void> {
    const event: AgentEvent = { name: 'bgtask_updated', body: { task_id: this.taskId, ...this.#latest } };
    try {
      await this.tools.events.announce(event);
    } catch (error) {
      this.tools.logger.warn(`could not tell the progress of a task: ${messageOf(error)}`, { task_id: this.taskId });
    }
  }

  /** False as soon as the task is over. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await this.tools.clock.sleep(ms, this.#over.signal);
      return !this.#over.signal.aborted;
    } catch {
      return false;
    }
  }
}
