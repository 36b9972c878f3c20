import type { Call } from '../../src/application/ports/call.js';
import type { Clock } from '../../src/application/ports/clock.port.js';
import type { ContainerEngine } from '../../src/application/ports/container-engine.port.js';
import { deadlineExceeded, engineUnavailable } from '../../src/domain/error/errors.js';
import { abortError } from './sleep.js';

export type EngineMethod = keyof ContainerEngine;

/**
 * How a call goes wrong: `error` = refused, nothing happened; `hang` = no answer until signal or deadline, nothing
 * happened; `slow` = answers after `ms`; `lost-answer` = it happened, but the answer was lost.
 */
export interface Fault {
  readonly with: 'error' | 'hang' | 'slow' | 'lost-answer';
  /** How many calls; 1 by default. */
  readonly times?: number;
  /** Calls that go well before. */
  readonly after?: number;
  /** Thrown by `error` and `lost-answer`; by default the engine is unavailable. */
  readonly error?: Error;
  /** For `slow`; 1000 by default. */
  readonly ms?: number;
}

interface Planned {
  readonly applies: (method: EngineMethod) => boolean;
  readonly fault: Fault;
  skip: number;
  left: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;
type Time = Pick<Clock, 'sleep'>;

/** Which calls go wrong, and how. Plans are consumed in the order in which they were made. */
export class FaultPlan {
  readonly #planned: Planned[] = [];

  add(method: EngineMethod | '*', fault: Fault): void {
    this.#planned.push({
      applies: (called) => method === '*' || called === method,
      fault,
      skip: fault.after ?? 0,
      left: fault.times ?? 1,
    });
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** To be asked once a call. */
  next(method: EngineMethod): Fault | undefined {
    let found: Fault | undefined;
    for (const plan of this.#planned) {
      if (!plan.applies(method) || plan.left === 0) continue;
      if (plan.skip > 0) plan.skip -= 1;
      else if (!found) {
        plan.left -= 1;
        found = plan.fault;
      }
    }
    return found;
  }

  /** Does what a call does, or what goes wrong with it instead. */
  async run<T>(method: EngineMethod, call: Call, time: Time, effect: () => T | Promise<T>): Promise<T> {
    const fault = this.next(method);
    if (call.signal.aborted) throw abortError(call.signal);
    await Promise.resolve();
    const timeoutMs = call.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const failure = fault?.error ?? engineUnavailable(`The fake engine failed in ${method}`);
    switch (fault?.with) {
      case undefined:
        return effect();
      case 'error':
        throw failure;
      case 'lost-answer':
        await effect();
        throw failure;
      case 'hang':
      case 'slow': {
        const takesMs = fault.with === 'hang' ? Number.POSITIVE_INFINITY : (fault.ms ?? 1000);
        await time.sleep(Math.min(takesMs, timeoutMs), call.signal);
        if (takesMs <= timeoutMs) return effect();
        throw deadlineExceeded(`The fake engine did not answer ${method} in time`);
      }
    }
  }
}
