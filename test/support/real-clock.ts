import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../src/application/ports/clock.port.js';

/** Real time, for tests with real sockets. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
  deadline: (ms, parent) => {
    const controller = new AbortController();
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      controller.abort();
    }, ms);
    const follow = (): void => controller.abort(parent?.reason);
    if (parent?.aborted === true) follow();
    parent?.addEventListener('abort', follow, { once: true });
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
  },
};
