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
  private readonly timer: NodeJS.Timeout;
  /** Made for who asks for it: a signal costs more than all else here. */
  private controller: AbortController | undefined;
  private follow: (() => void) | undefined;

  constructor(
    ms: number,
    private parent: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(() => this.expire(), ms).unref();
  }

  get signal(): AbortSignal {
    return (this.controller ??= this.makeController()).signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    if (this.follow !== undefined) this.parent?.removeEventListener('abort', this.follow);
    this.parent = undefined;
  }

  private makeController(): AbortController {
    const controller = new AbortController();
    if (this.expired) controller.abort(timeout());
    else if (this.parent?.aborted) controller.abort(this.parent.reason);
    else if (this.parent !== undefined) {
      this.follow = () => controller.abort(this.parent?.reason);
      this.parent.addEventListener('abort', this.follow, { once: true });
    }
    return controller;
  }

  private expire(): void {
    const isOver = this.controller?.signal.aborted ?? this.parent?.aborted ?? false;
    if (isOver) return;
    this.expired = true;
    this.controller?.abort(timeout());
  }
}

function timeout(): DOMException {
  return new DOMException('The deadline has passed', 'TimeoutError');
}

function clamp(ms: number): number {
  return Math.min(Math.max(0, ms), MAX_TIMER_MS);
}
