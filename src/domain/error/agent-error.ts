/**
 * Who has to act on a failure. Decides log level, exit status and HTTP status:
 * `user` = the request is wrong, `operational` = the world is (engine, disk, network), `unexpected` = our bug.
 */
export type ErrorKind = 'user' | 'operational' | 'unexpected';

export interface AgentErrorOptions {
  /** The input field at fault, as the caller wrote it (`resource_slots.cpu`). */
  readonly field?: string;
  /** What would have been allowed there, in words. */
  readonly allowed?: string;
  /** One line of what to do next. */
  readonly hint?: string;
  /** True when the same call may succeed later without a change. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** Where in our code a wrong request was noticed tells nobody anything, and finding out takes longer than the check. */
export function untraced<T>(make: () => T): T {
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = depth;
  }
}

/**
 * Every expected failure of the agent.
 *
 * `name` is the class name of the reference implementation (rpc.md §6.5.7), since it travels as the first element of
 * an RPC FAILURE; `status` is the HTTP status which that class maps to.
 */
export class AgentError extends Error {
  readonly kind: ErrorKind;
  readonly status: number;
  readonly field?: string | undefined;
  readonly allowed?: string | undefined;
  readonly hint?: string | undefined;
  readonly retryable: boolean;

  constructor(name: string, kind: ErrorKind, status: number, message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = name;
    this.kind = kind;
    this.status = status;
    this.field = options.field;
    this.allowed = options.allowed;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
  }
}

/** A guard that works across bundles, unlike `instanceof`. */
export function isAgentError(error: unknown): error is AgentError {
  return error instanceof Error && 'kind' in error && 'status' in error;
}

/** True for the rejection of anything that was cancelled through an AbortSignal. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Nobody foresaw it: neither the request nor the world is at fault, nor was it given up. */
export function isUnexpected(error: unknown): boolean {
  if (isAgentError(error)) return error.kind === 'unexpected';
  return !(error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError'));
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
