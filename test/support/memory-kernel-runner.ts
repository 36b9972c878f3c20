import type { Call } from '../../src/application/ports/call.js';
import type { KernelRunner, RunRecord } from '../../src/application/ports/kernel-runner.port.js';
import type { RunnerApp, RunnerKind, ServiceResult } from '../../src/domain/krunner-wire/krunner-wire.js';

/**
 * A runner in the test's hands: notes what it is told, says what the test makes it say. Replies are properties that a
 * test may replace, also by functions that throw.
 */
export class MemoryKernelRunner implements KernelRunner {
  readonly sent: (readonly [op: string, payload: string])[] = [];
  readonly notified: (readonly [type: string, data: Readonly<Record<string, unknown>>])[] = [];
  closed = false;
  /** Called on each operation, after it was noted; throw to refuse it. */
  onSend: (op: string, payload: string) => void | Promise<void> = () => undefined;
  answerStatus: (call: Call) => Promise<{ readonly startedAt: number }> = () => Promise.resolve({ startedAt: 1 });
  answerApps: (call: Call) => Promise<readonly RunnerApp[]> = () => Promise.resolve([]);
  answerComplete: (request: Readonly<Record<string, unknown>>) => Promise<readonly string[]> = () =>
    Promise.resolve([]);
  answerService: (name: string) => Promise<ServiceResult> = () => Promise.resolve({ status: 'started' });
  #listener: ((record: RunRecord) => void) | undefined;

  /** Says something; lost if nobody listens. */
  emit(kind: RunnerKind, text: string): void {
    this.#listener?.({ kind, text });
  }

  async send(op: string, payload: string): Promise<void> {
    this.sent.push([op, payload]);
    await this.onSend(op, payload);
  }

  notify(type: string, data: Readonly<Record<string, unknown>>): Promise<void> {
    this.notified.push([type, data]);
    return Promise.resolve();
  }

  status(call: Call): Promise<{ readonly startedAt: number }> {
    return this.answerStatus(call);
  }

  apps(call: Call): Promise<readonly RunnerApp[]> {
    return this.answerApps(call);
  }

  complete(request: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
    return this.answerComplete(request);
  }

  startService(request: { readonly name: string }): Promise<ServiceResult> {
    return this.answerService(request.name);
  }

  shutdownService(name: string): Promise<void> {
    this.sent.push(['shutdown-service', name]);
    return Promise.resolve();
  }

  onRecord(listener: ((record: RunRecord) => void) | undefined): void {
    this.#listener = listener;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    this.#listener = undefined;
    return Promise.resolve();
  }
}
