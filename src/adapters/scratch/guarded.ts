import type { Call } from '../../application/ports/call.js';
import { isAbortError, isAgentError } from '../../domain/error/agent-error.js';
import { deadlineExceeded } from '../../domain/error/errors.js';
import { toStorageError } from './storage-error.js';

/**
 * Runs `work` under the call's signal and deadline. It looks at them between its steps; one that hangs (a network file
 * system whose server is away) is left behind.
 */
export async function guarded<T>(
  action: string,
  call: Call,
  defaultTimeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(call.timeoutMs ?? defaultTimeoutMs);
  const signal = AbortSignal.any([call.signal, deadline]);
  try {
    signal.throwIfAborted();
    return await Promise.race([work(signal), rejectionOf(signal)]);
  } catch (error) {
    call.signal.throwIfAborted();
    const expired = deadline.aborted && !isAgentError(error) && (isAbortError(error) || error === deadline.reason);
    throw expired ? deadlineExceeded(`${action} in time.`, { cause: error }) : toStorageError(action, error);
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
