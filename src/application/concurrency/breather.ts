import type { Clock } from '../ports/clock.port.js';

/** Nobody else waits longer than this for a loop over many kernels. */
const STRETCH_MS = 2;

/** Lets others run in the middle of long work that never waits by itself. */
export class Breather {
  #sinceMs: number;

  constructor(private readonly clock: Clock) {
    this.#sinceMs = clock.monotonic();
  }

  /** Returns at once as long as the work did not take long. */
  async breathe(signal?: AbortSignal): Promise<void> {
    if (this.clock.monotonic() - this.#sinceMs < STRETCH_MS) return;
    await this.clock.sleep(0, signal);
    this.#sinceMs = this.clock.monotonic();
  }
}
