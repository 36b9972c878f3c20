import type { Call } from '../../application/ports/call.js';
import { isAbortError, isAgentError } from '../../domain/error/agent-error.js';
import { deadlineExceeded } from '../../domain/error/errors.js';
import { errorOfTransport } from './docker-errors.js';

/**
 * The time one operation has: its signal fires with the caller's signal or at the deadline, whichever is first, and
 * `explain` tells afterwards which of them it was. Dispose it to stop the timer.
 */
export class OperationScope implements Disposable {
  readonly signal: AbortSignal;
  readonly #call: Call;
  readonly #operation: string;
  readonly #timeoutMs: number | undefined;
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort(abortErrorOf(this.#call.signal));
  #timer: NodeJS.Timeout | undefined;
  #expired = false;

  /** `defaultTimeoutMs` undefined = no deadline unless the call brings one. */
  constructor(call: Call, defaultTimeoutMs: number | undefined, operation: string) {
    this.#call = call;
    this.#operation = operation;
    this.#timeoutMs = call.timeoutMs ?? defaultTimeoutMs;
    this.signal = this.#controller.signal;
    if (call.signal.aborted) {
      this.#onAbort();
      return;
    }
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.startTimer();
  }

  /** Ends the deadline and keeps only the caller's signal: a followed stream has no end of its own. */
  lift(): void {
    clearTimeout(this.#timer);
  }

  /** Settles with `work`, or rejects as soon as the time is over, whatever `work` does. */
  async race<T>(work: Promise<T>): Promise<T> {
    if (this.signal.aborted) {
      void work.catch(() => undefined);
      throw this.explain(this.signal.reason);
    }
    let onAbort: (() => void) | undefined;
    const ended = new Promise<never>((_, reject) => {
      onAbort = () => reject(this.signal.reason as Error);
      this.signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work, ended]);
    } catch (error) {
      throw this.explain(error);
    } finally {
      if (onAbort) this.signal.removeEventListener('abort', onAbort);
    }
  }

  /** What a failure inside this scope means: an answer of the engine, a cancellation, the deadline, or a broken line. */
  explain(error: unknown): Error {
    if (isAgentError(error)) return error;
    if (this.#expired) {
      return deadlineExceeded(
        `The container engine did not ${this.#operation} within ${(this.#timeoutMs ?? 0) / 1000} s`,
        { hint: 'The engine may be overloaded or stuck: try "docker info".' },
      );
    }
    if (this.#call.signal.aborted) return abortErrorOf(this.#call.signal);
    return errorOfTransport(this.#operation, error);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#call.signal.removeEventListener('abort', this.#onAbort);
  }

  private startTimer(): void {
    if (this.#timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.#controller.abort(new Error('deadline'));
    }, this.#timeoutMs);
  }
}

/** Runs one request-and-answer operation in a scope of its own. */
export async function inScope<T>(
  call: Call,
  defaultTimeoutMs: number | undefined,
  operation: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const scope = new OperationScope(call, defaultTimeoutMs, operation);
  try {
    scope.signal.throwIfAborted();
    return await scope.race(work(scope.signal));
  } catch (error) {
    throw scope.explain(error);
  } finally {
    scope[Symbol.dispose]();
  }
}

/** An AbortError, also when the caller aborted with a reason of another name. */
function abortErrorOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  if (isAbortError(reason) || isAgentError(reason)) return reason as Error;
  const error = new DOMException('The operation was cancelled', { name: 'AbortError', cause: reason });
  return error;
}
