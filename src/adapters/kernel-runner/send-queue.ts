import type { Push } from 'zeromq';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { kernelRunnerFailure } from '../../domain/error/errors.js';

/** Messages in line for a peer that takes none; more are refused. */
const MAX_QUEUED = 1024;

interface Outgoing {
  readonly frames: readonly [string, string];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Sends one message after the other: a ZeroMQ socket refuses a send while another one waits for room. */
export class SendQueue {
  #queue: Outgoing[] = [];
  #isPumping = false;
  #isClosed = false;

  constructor(private readonly socket: Pick<Push, 'send'>) {}

  /** Resolves when the message was handed to ZeroMQ. Rejects with KernelRunnerError. */
  send(op: string, payload: string): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(
        kernelRunnerFailure(`the kernel runner takes no messages: ${MAX_QUEUED} wait already`, { retryable: true }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ frames: [op, payload], resolve, reject });
      void this.#pump();
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const message of this.#queue.splice(0)) message.reject(closedError());
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      try {
        await this.socket.send([...message.frames]);
        message.resolve();
      } catch (error) {
        message.reject(this.#isClosed ? closedError() : sendError(error));
      }
    }
    this.#isPumping = false;
  }
}

export function closedError(): Error {
  return kernelRunnerFailure('the connection to the kernel runner was closed', {
    hint: 'the kernel is being destroyed or the agent is stopping',
  });
}

function sendError(error: unknown): Error {
  if (isAgentError(error)) return error;
  return kernelRunnerFailure(`the kernel runner takes no messages: ${messageOf(error)}`, {
    cause: error,
    retryable: true,
  });
}
