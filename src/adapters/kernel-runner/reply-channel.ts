import type { Call } from '../../application/ports/call.js';
import { isAgentError } from '../../domain/error/agent-error.js';
import { deadlineExceeded, kernelRunnerFailure } from '../../domain/error/errors.js';
import { closedError } from './send-queue.js';

/** Callers in line for one kind of reply; more are refused. */
const MAX_WAITING = 128;

export interface ReplyChannelOptions<Reply> {
  /** Kind of the reply, for messages. */
  readonly kind: string;
  /** Throws on anything that is not a proper reply. */
  readonly parse: (payload: Uint8Array) => Reply;
  /** Deadline of a call that names none. */
  readonly defaultTimeoutMs: number;
  /** Any reply answers any caller: a late one is as good as a fresh one. */
  readonly isInterchangeable: boolean;
  /** How long the reply to a caller that gave up is still expected before it counts as lost. */
  readonly lateMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Waiter<Reply> {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Request and reply of one kind over a wire that has no correlation ids (krunner.md W10): one request at a time, and a
 * reply that belongs to a caller who gave up is skipped instead of being handed to the next one.
 */
export class ReplyChannel<Reply> {
  readonly #calls = new Set<AbortController>();
  #line: Promise<unknown> = Promise.resolve();
  #waiter: Waiter<Reply> | undefined;
  /** When callers gave up whose replies are still to come, oldest first. */
  #owed: number[] = [];
  #skippedForWaiter = false;
  #isClosed = false;

  constructor(private readonly options: ReplyChannelOptions<Reply>) {}

  /**
   * Sends a request and waits for its reply; the deadline includes the time in line. Rejects with TimeoutError,
   * KernelRunnerError or the signal's reason.
   */
  async call(send: () => Promise<void>, { signal, timeoutMs = this.options.defaultTimeoutMs }: Call): Promise<Reply> {
    signal.throwIfAborted();
    if (this.#isClosed) throw closedError();
    if (this.#calls.size >= MAX_WAITING) {
      throw kernelRunnerFailure(`${MAX_WAITING} calls wait for '${this.options.kind}' already`, { retryable: true });
    }
    const stop = new AbortController();
    const cancel = () => stop.abort(signal.reason);
    const timer = setTimeout(() => stop.abort(this.#timeoutError(timeoutMs)), timeoutMs).unref();
    signal.addEventListener('abort', cancel, { once: true });
    this.#calls.add(stop);
    const turn = this.#line.then(() => this.#exchange(send, stop.signal));
    this.#line = turn.catch(() => undefined);
    try {
      return await orStop(turn, stop.signal);
    } finally {
      this.#calls.delete(stop);
      signal.removeEventListener('abort', cancel);
      clearTimeout(timer);
    }
  }

  /** Takes a reply from the wire. */
  accept(payload: Uint8Array): void {
    if (!this.options.isInterchangeable && this.#isLate()) return;
    const waiter = this.#waiter;
    if (!waiter) return;
    this.#waiter = undefined;
    try {
      waiter.resolve(this.options.parse(payload));
    } catch (error) {
      waiter.reject(isAgentError(error) ? error : this.#malformedError(error));
    }
  }

  /** Ends all calls. */
  close(): void {
    this.#isClosed = true;
    for (const stop of this.#calls) stop.abort(closedError());
  }

  async #exchange(send: () => Promise<void>, stop: AbortSignal): Promise<Reply> {
    stop.throwIfAborted();
    this.#skippedForWaiter = false;
    // A reply may come before `send` says that it is done.
    const reply = new Promise<Reply>((resolve, reject) => (this.#waiter = { resolve, reject }));
    reply.catch(() => undefined);
    try {
      await orStop(send(), stop);
      return await orStop(reply, stop);
    } catch (error) {
      if (this.#waiter && stop.aborted) this.#owe();
      this.#waiter = undefined;
      throw error;
    }
  }

  #owe(): void {
    // What was skipped as late may have been this caller's reply: start from a clean slate rather than stay off by one.
    if (this.#skippedForWaiter) this.#owed = [];
    else this.#owed.push(this.options.now());
  }

  #isLate(): boolean {
    const oldest = this.options.now() - this.options.lateMs;
    this.#owed = this.#owed.filter((since) => since > oldest);
    if (this.#owed.length === 0) return false;
    this.#owed.shift();
    this.#skippedForWaiter = true;
    return true;
  }

  #timeoutError(timeoutMs: number): Error {
    return deadlineExceeded(`the kernel runner did not send '${this.options.kind}' within ${timeoutMs} ms`, {
      hint: 'see the container log; the runner may still be starting, or be stuck',
    });
  }

  #malformedError(cause: unknown): Error {
    return kernelRunnerFailure(`the kernel runner sent a malformed '${this.options.kind}'`, {
      cause,
      hint: 'the runner in this image speaks another protocol or is broken',
    });
  }
}

/** `promise`, unless `stop` fires first; then its reason. */
function orStop<T>(promise: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(stop.reason as Error);
    if (stop.aborted) abort();
    else stop.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => stop.removeEventListener('abort', abort));
  });
}
