import type { Clock, Deadline } from '../../src/application/ports/clock.port.js';

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until a test advances it. Timers fire in the order of their times, and what they wake runs
 * before the next one fires.
 */
export class ManualClock implements Clock {
  #elapsed = 0;
  #timers: Timer[] = [];

  constructor(private readonly startMs = Date.UTC(2026, 0, 1)) {}

  now(): number {
    return this.startMs + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** Timers not fired yet; 0 at the end of a test says that nothing was left behind. */
  get pending(): number {
    return this.#timers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortError(signal));
        return;
      }
      const abort = () => {
        this.#cancel(timer);
        reject(abortError(signal));
      };
      const timer = this.#schedule(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  deadline(ms: number, parent?: AbortSignal): Deadline {
    const controller = new AbortController();
    let expired = false;
    const timer = this.#schedule(ms, () => {
      if (controller.signal.aborted) return;
      expired = true;
      controller.abort(new DOMException('The deadline has passed', 'TimeoutError'));
    });
    const follow = () => {
      this.#cancel(timer);
      controller.abort(parent?.reason);
    };
    if (parent?.aborted) follow();
    else parent?.addEventListener('abort', follow, { once: true });
    return {
      signal: controller.signal,
      get expired() {
        return expired;
      },
      [Symbol.dispose]: () => {
        this.#cancel(timer);
        parent?.removeEventListener('abort', follow);
      },
    };
  }

  /** Lets `ms` pass. Resolves when everything that became due has run. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    await settle();
    for (let timer = this.#due(until); timer; timer = this.#due(until)) {
      this.#cancel(timer);
      this.#elapsed = Math.max(this.#elapsed, timer.at);
      timer.fire();
      await settle();
    }
    this.#elapsed = until;
  }

  #due(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (!first || timer.at < first.at)) first = timer;
    return first;
  }

  #schedule(ms: number, fire: () => void): Timer {
    const timer = { at: this.#elapsed + Math.max(0, ms), fire };
    this.#timers.push(timer);
    return timer;
  }

  #cancel(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}

/** Lets all that is ready to run, run. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function abortError(signal: AbortSignal | undefined): Error {
  return new DOMException('The operation was aborted', { name: 'AbortError', cause: signal?.reason });
}
