import { isAbortError, isAgentError, messageOf, type AgentError } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space on this file system, or set [container] scratch-root to another one.',
  EDQUOT: 'Raise the quota of this directory, or set [container] scratch-root to another one.',
  EROFS: 'This file system is read-only: set [container] scratch-root to another one.',
  EACCES: 'Let the agent own [container] scratch-root.',
  EPERM: 'Let the agent own [container] scratch-root; look for immutable files there with lsattr.',
  ELOOP: 'A symbolic link is where a directory or file of the agent belongs; look at what put it there.',
  ENOTDIR: 'Something else is where a directory of the agent belongs; look at what put it there.',
  EBUSY: 'Something is mounted there: unmount it, then try again.',
  EMFILE: 'Raise the limit of open files of the agent (LimitNOFILE).',
};

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The failure of `action` as a StorageError; what is one of ours already, or a cancellation, stays as it is. */
export function toStorageError(action: string, error: unknown): Error {
  if (isAgentError(error) || isAbortError(error)) return error as AgentError;
  const hint = HINTS[errorCode(error)];
  // Descriptors mean nothing to who reads this.
  const reason = messageOf(error).replaceAll(/\/proc\/self\/fd\/\d+/g, '…');
  return storageFailure(`${action}: ${reason}`, { cause: error, ...(hint === undefined ? {} : { hint }) });
}
