import { status as GrpcStatus, type ServiceError } from '@grpc/grpc-js';
import type { AgentError } from '../../domain/error/agent-error.js';
import { configSourceFailure, configurationInvalid } from '../../domain/error/errors.js';

const MAX_DETAIL = 300;

/** A call that was cut because another one gave up the same connection counts as away, too. */
const AWAY: ReadonlySet<GrpcStatus> = new Set([
  GrpcStatus.UNAVAILABLE,
  GrpcStatus.DEADLINE_EXCEEDED,
  GrpcStatus.CANCELLED,
]);

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number';
}

/** Nobody answered: the same call may succeed at another endpoint, or later. */
export function isAway(error: unknown): boolean {
  return isServiceError(error) && AWAY.has(error.code);
}

export function isTimeout(error: unknown): boolean {
  return isServiceError(error) && error.code === GrpcStatus.DEADLINE_EXCEEDED;
}

/** The token expired, the server that gave it was restarted, or there is none because the server knew no users before. */
export function isTokenRefused(error: unknown): boolean {
  const refusal = /invalid auth token|auth: revision in header is old|user name is empty/;
  return isServiceError(error) && refusal.test(error.message);
}

/** The server knows no users: a configured one is not needed. */
export function isAuthOff(error: unknown): boolean {
  return isServiceError(error) && error.message.includes('authentication is not enabled');
}

/** A failure in the agent's own words. Wrong credentials are a matter of the configuration; nothing will change that. */
export function toAgentError(error: unknown, endpoint: string): AgentError {
  if (!isServiceError(error)) return configSourceFailure(`etcd at ${endpoint}: ${String(error)}`, { cause: error });
  const detail = (error.details === '' ? error.message : error.details).slice(0, MAX_DETAIL);
  if (/authentication failed|user name is empty|user name not found/.test(detail))
    return configurationInvalid(`etcd at ${endpoint} refuses the user: ${detail}`, {
      field: 'etcd.user, etcd.password',
      allowed: 'a user of this etcd and its password',
    });
  if (isAway(error))
    return configSourceFailure(`etcd at ${endpoint} cannot be reached: ${detail}`, { retryable: true, cause: error });
  return configSourceFailure(`etcd at ${endpoint}: ${detail}`, {
    ...(error.code === GrpcStatus.PERMISSION_DENIED
      ? { field: 'etcd.user', allowed: 'a user with a role that may read and write below the namespace' }
      : {}),
    cause: error,
  });
}
