import { type AgentError, isAbortError, isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { invalidArgument } from '../../domain/error/errors.js';
import { printable } from './terminal/printable.js';

/** The stable exit statuses of every command. */
export const EXIT = { ok: 0, programFailed: 1, degraded: 1, usage: 2, agentFailed: 3 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** A wrong option or argument: `field` is its name as typed. */
export function usageError(field: string, message: string, allowed: string): AgentError {
  return invalidArgument(`${field}: ${message}`, { field, allowed });
}

/** The reader of our output went away (`ag run … | head`): no message, nobody reads it. */
export class OutputClosedError extends Error {
  override readonly name = 'OutputClosedError';
}

export function exitStatusOf(error: unknown): ExitStatus {
  if (error instanceof OutputClosedError) return EXIT.programFailed;
  return isAgentError(error) && error.kind === 'user' ? EXIT.usage : EXIT.agentFailed;
}

/** Cause and remedy; the cause is one line, unless there are several problems to tell. */
export function describeError(error: unknown): { readonly cause: string; readonly remedy: string } {
  if (isAgentError(error)) {
    const allowed =
      error.allowed === undefined || error.message.includes(error.allowed) ? [] : [`allowed: ${error.allowed}`];
    const remedy = [...allowed, ...(error.hint === undefined ? [] : [error.hint])].join('; ');
    return { cause: printable(error.message, true), remedy: printable(remedy === '' ? defaultRemedy(error) : remedy) };
  }
  if (isAbortError(error)) return { cause: 'interrupted', remedy: 'run the command again' };
  return {
    cause: `unexpected error: ${printable(messageOf(error))}`,
    remedy: 'look at the log of the agent; if it repeats, report it with this line',
  };
}

function defaultRemedy(error: AgentError): string {
  if (error.kind === 'user') return 'correct the command; --help shows examples';
  return error.retryable ? 'try again in a moment' : 'look at "backend.ai ag status" and at the log of the agent';
}
