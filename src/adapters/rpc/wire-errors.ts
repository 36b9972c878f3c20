import { AgentError } from '../../domain/error/agent-error.js';
import { user } from '../../domain/error/errors.js';

/**
 * Failures that only exist between an RPC client and this server. Their names are what the reference sends in the same
 * situation (rpc.md §4.6), so that logs on the Manager's side read alike.
 */

/** A frame, map or argument that can't be read. */
export const malformed = user('ValueError');

/** The call doesn't fit the method's parameters. */
export const wrongCall = user('TypeError');

const keyError = user('KeyError');
const schemaValidationFailed = user('BackendAISchemaValidationFailed');
const agentIdNotFound = user('AgentIdNotFoundError', 404);

export function missingKey(key: string): AgentError {
  return keyError(key, { field: key });
}

/** The `req` of a v3 method is not what it should be (rpc.md §4.6). */
export function schemaMismatch(detail: string): AgentError {
  return schemaValidationFailed(`Schema validation failed. (${detail})`, { field: 'req', allowed: 'a map' });
}

export function unknownAgentId(agentId: string): AgentError {
  return agentIdNotFound(`Agent ID not found. (no agent '${agentId.slice(0, 64)}' here)`, {
    field: 'agent_id',
    hint: 'omit agent_id or send the id told in the heartbeat',
  });
}

/** Too much asked for at once; nothing was started. */
export function overloaded(message: string): AgentError {
  return new AgentError('ServerOverloadedError', 'operational', 503, message, {
    retryable: true,
    hint: 'wait for earlier calls to finish',
  });
}

/** The result was made, but the caller does not read those before it. */
export function repliesUnread(): AgentError {
  const message = 'too many replies wait to be read on this connection: the result was dropped';
  return new AgentError('ServerOverloadedError', 'operational', 503, message, {
    retryable: true,
    hint: 'read the replies, or ask for less at once',
  });
}

export function shuttingDown(): AgentError {
  return new AgentError('ServerShuttingDownError', 'operational', 503, 'the agent is shutting down', {
    retryable: true,
  });
}

/** A result of ours that can't be told on the wire. */
export function unencodable(message: string): AgentError {
  return new AgentError('EncodeError', 'unexpected', 500, message);
}

/** Several parts of one call failed (rpc.md §6.5.7: a FAILURE instead of the reference's bare CANCELLED). */
export function taskGroupFailed(message: string, cause: readonly unknown[]): AgentError {
  return new AgentError('TaskGroupError', 'operational', 500, message, { cause });
}
