import type { FastifyReply } from 'fastify';
import { deadlineExceeded } from '../../domain/error/errors.js';
import type { HttpContext } from './http-context.js';

export interface ClientCall {
  /** Shown in the error when the deadline passes. */
  readonly what: string;
  /** At most so long; without it the use case's own deadlines hold. */
  readonly timeoutMs?: number;
}

/** A signal that fires when the client goes away before its answer is complete, or the server closes. */
export function clientSignal(reply: FastifyReply, closing: AbortSignal): AbortSignal & { release(): void } {
  const gone = new AbortController();
  const onClose = (): void => {
    if (!reply.raw.writableFinished) gone.abort(abortError('the client went away'));
  };
  const onClosing = (): void => gone.abort(abortError('the agent stops'));
  reply.raw.once('close', onClose);
  closing.addEventListener('abort', onClosing, { once: true });
  if (closing.aborted) onClosing();
  if (reply.raw.destroyed) onClose();
  return Object.assign(gone.signal, {
    release: (): void => {
      reply.raw.off('close', onClose);
      closing.removeEventListener('abort', onClosing);
    },
  });
}

/** Runs a call that is worth nothing without its client: it is aborted with the connection and at its deadline. */
export async function callForClient<Result>(
  context: HttpContext,
  reply: FastifyReply,
  call: ClientCall,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const client = clientSignal(reply, context.closing);
  using deadline = call.timeoutMs === undefined ? undefined : context.clock.deadline(call.timeoutMs, client);
  try {
    return await work(deadline?.signal ?? client);
  } catch (error) {
    if (deadline?.expired !== true) throw error;
    throw deadlineExceeded(`${call.what} took longer than ${call.timeoutMs ?? 0} ms`, { cause: error });
  } finally {
    client.release();
  }
}

function abortError(message: string): Error {
  return Object.assign(new Error(message), { name: 'AbortError' });
}
