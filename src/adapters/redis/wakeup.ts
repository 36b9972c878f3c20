import type { Clock } from '../../application/ports/clock.port.js';

/** What a loop sleeps on: a time, new work, or something that ends every wait. A call that comes while nobody waits counts. */
export class Wakeup {
  #hasWork = false;
  #isUrgent = false;
  #end: (() => void) | undefined;
  #listensToWork = false;

  constructor(private readonly clock: Clock) {}

  /** There is something new to do. */
  work(): void {
    this.#hasWork = true;
    if (this.#listensToWork) this.#end?.();
  }

  /** Whatever it waits for: go on. */
  now(): void {
    this.#isUrgent = true;
    this.#end?.();
  }

  /** Until the time is over, or there is work. */
  async wait(ms: number | undefined): Promise<void> {
    if (!this.#hasWork) await this.#sleep(ms, true);
    this.#hasWork = false;
  }

  /** Until the time is over; new work changes nothing. */
  async waitOut(ms: number): Promise<void> {
    await this.#sleep(ms, false);
  }

  async #sleep(ms: number | undefined, listensToWork: boolean): Promise<void> {
    if (this.#isUrgent) {
      this.#isUrgent = false;
      return;
    }
    using deadline = ms === undefined ? undefined : this.clock.deadline(ms);
    this.#listensToWork = listensToWork;
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      deadline?.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#end = undefined;
    this.#isUrgent = false;
  }
}
