import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { containerStartupCancelled } from '../../domain/error/errors.js';

/** What made us give up explains more than the AbortError of the call that it interrupted. */
export function failureOf(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    return isAgentError(reason) ? reason : containerStartupCancelled('it was cancelled', { cause: reason });
  }
  return error instanceof Error ? error : new Error(messageOf(error));
}
