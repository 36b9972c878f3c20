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
    const controller = new AbortController();
    let expired = false;
    const follow = () => controller.abort(parent?.reason);
    const timer = setTimeout(() => {
      if (controller.signal.aborted) return;
      expired = true;
      controller.abort(new DOMException('The deadline has passed', 'TimeoutError'));
    }, clamp(ms));
    timer.unref();
    if (parent?.aborted) follow();
    else parent?.addEventListener('abort', follow, { once: true });
    return {
      signal: controller.signal,
      get expired() {
        return expired;
      },
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        parent?.removeEventListener('abort', follow);
      },
    };
  }
}

function clamp(ms: number): number {
  return Math.min(Math.max(0, ms), MAX_TIMER_MS);
}
