import { injectable } from 'inversify';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock, Deadline } from '../../application/ports/clock.port.js';

/** Longer timers fire at once in Node; nothing in the agent waits that long. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clocks. A deadline does not keep the process alive on its own. */
@injectable()
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await sleep(clamp(ms), undefined, signal ? { signal } : {});
  }

  deadline(ms: number, parent?: AbortSignal): Deadline {
    return new SystemDeadline(clamp(ms), parent);
  }
}

class SystemDeadline implements Deadline {
  expired = false;
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly follow = (): void => this.controller.abort(this.parent?.reason);

  constructor(
    ms: number,
    private readonly parent: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(() => this.expire(), ms).unref();
    if (parent?.aborted) this.follow();
    else parent?.addEventListener('abort', this.follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.parent?.removeEventListener('abort', this.follow);
  }

  private expire(): void {
    if (this.controller.signal.aborted) return;
    this.expired = true;
    this.controller.abort(new DOMException('The deadline has passed', 'TimeoutError'));
  }
}

function clamp(ms: number): number {
  return Math.min(Math.max(0, ms), MAX_TIMER_MS);
}
