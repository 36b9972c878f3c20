/** The reasons known to every Manager (state.md §2.9). */
export const COMMON_REASONS = [
  'agent-termination',
  'already-terminated',
  'anomaly-detected',
  'exec-timeout',
  'failed-to-create',
  'failed-to-start',
  'force-terminated',
  'bootstrap-timeout',
  'hang-timeout',
  'idle-timeout',
  'idle-session-lifetime',
  'idle-utilization',
  'killed-by-event',
  'service-scaled-down',
  'new-container-started',
  'pending-timeout',
  'restarting',
  'restart-timeout',
  'resuming-agent-operation',
  'self-terminated',
  'task-failed',
  'task-timeout',
  'task-cancelled',
  'task-finished',
  'terminated-unknown-container',
  'unknown',
  'user-requested',
  'user-purged',
  'not-found-in-manager',
  'container-not-found',
] as const;

/** Added in 26.9; echoed only to a Manager that sent one itself (rpc.md §6.6). */
export const ADDED_REASONS = [
  'route-termination',
  'dry-run-complete',
  'preempted-by-scheduler',
  'agent-resource-group-changed',
  'stale-kernel',
  'exceeded-max-retries',
  'abnormal-termination',
  'rescheduled',
  'triggered-by-scheduler',
  'passed-preconditions',
  'deprioritized-for-rescheduling',
  'preemption-reservation',
  'preempted-by-reservation',
  'kernel-handler-failure',
] as const;

export type TerminationReason = (typeof COMMON_REASONS)[number] | (typeof ADDED_REASONS)[number];

const COMMON: ReadonlySet<string> = new Set(COMMON_REASONS);
const ADDED: ReadonlySet<string> = new Set(ADDED_REASONS);

/**
 * Normalises the reason of a `destroy_kernel` call (rpc.md §6.6): nothing means `user-requested`, status texts such as
 * `USER_REQUESTED` are folded, anything else becomes `unknown`. `allowAdded` says that the caller knows the 26.9 words.
 */
export function normaliseReason(text: string | null | undefined, allowAdded = false): TerminationReason {
  if (text === null || text === undefined || text === '') return 'user-requested';
  const word = text.toLowerCase().replaceAll('_', '-');
  if (COMMON.has(word) || (allowAdded && ADDED.has(word))) return word as TerminationReason;
  return 'unknown';
}
