import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { isAbortError, isAgentError } from '../../domain/error/agent-error.js';

/** An error body of RFC 7807 (`application/problem+json`). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Class name of the error, as it also travels by RPC. */
  readonly error: string;
  readonly retryable: boolean;
  readonly field?: string;
  readonly allowed?: string;
  readonly hint?: string;
  /** Every problem of a body or query, when there may be several. */
  readonly errors?: readonly FieldProblem[];
}

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** A body or query that has one or more wrong fields. */
export class InvalidFieldsError extends Error {
  readonly problems: readonly FieldProblem[];

  constructor(problems: readonly FieldProblem[]) {
    super(problems.map(({ message }) => message).join('; '));
    this.name = 'InvalidArgumentError';
    this.problems = problems;
  }
}

const TYPE_BASE = 'https://api.backend.ai/probs/agent/';
/** nginx's number for a client that left; nobody reads the answer, but the metrics count it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Translates whatever was thrown. Of an unexpected error nothing but its being unexpected is told. */
export function problemOf(error: unknown): Problem {
  if (error instanceof InvalidFieldsError) {
    const first = error.problems[0];
    return {
      ...problem(error.name, 400, error.message, false),
      ...(first === undefined ? {} : { field: first.field }),
      errors: error.problems,
    };
  }
  if (isAgentError(error) && error.kind !== 'unexpected') {
    return {
      ...problem(error.name, error.status, error.message, error.retryable),
      ...(error.field === undefined ? {} : { field: error.field }),
      ...(error.allowed === undefined ? {} : { allowed: error.allowed }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    };
  }
  if (isAbortError(error)) return problem('CancelledError', CLIENT_CLOSED_REQUEST, 'the call was cancelled', true);
  const status = frameworkStatus(error);
  if (status !== undefined && error instanceof Error)
    return problem(nameOfStatus(status), status, error.message, false);
  return problem('InternalError', 500, 'an unexpected error; the log of the agent has the details', false);
}

/** The status of a refusal by the web framework itself: no such route, a body that is no JSON or too large, … */
function frameworkStatus(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    // Only refusals of what the client sent: the text of a 5xx may tell internals.
    if (error.statusCode >= 400 && error.statusCode < 500) return error.statusCode;
  }
  return undefined;
}

function nameOfStatus(status: number): string {
  return `${(STATUS_CODES[status] ?? 'Error').replace(/[^A-Za-z]/g, '')}Error`;
}

function problem(error: string, status: number, detail: string, retryable: boolean): Problem {
  const words = error.replace(/Error$/, '').replace(/([a-z0-9])([A-Z])/g, '$1 $2');
  return { type: TYPE_BASE + words.toLowerCase().replaceAll(' ', '-'), title: words, status, detail, error, retryable };
}
