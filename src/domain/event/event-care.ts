import type { AgentEventName } from './agent-event.js';

/**
 * `kept` = a Manager must not miss it: it waits on disk until it is delivered. `newest` = says how the agent is now: only
 * the newest counts, and it waits behind nothing. `passing` = its time passes: it waits in memory, for a while.
 */
export type EventCare = 'kept' | 'newest' | 'passing';

const KEPT: ReadonlySet<AgentEventName> = new Set([
  'kernel_preparing',
  'kernel_pulling',
  'kernel_creating',
  'kernel_started',
  'kernel_terminated',
  'do_sync_kernel_logs',
  'session_success',
  'session_failure',
  'image_pull_started',
  'image_pull_finished',
  'image_pull_failed',
  'agent_installed_images_remove',
  'bgtask_done',
  'bgtask_cancelled',
  'bgtask_failed',
  'bgtask_partial_success',
]);

const NEWEST: ReadonlySet<AgentEventName> = new Set(['agent_started', 'agent_heartbeat', 'agent_terminated']);

export function careOf(name: AgentEventName): EventCare {
  if (KEPT.has(name)) return 'kept';
  return NEWEST.has(name) ? 'newest' : 'passing';
}

/** Nothing that comes later makes up for the loss of these: given up last. */
export const PRECIOUS: ReadonlySet<AgentEventName> = new Set([
  'kernel_started',
  'kernel_terminated',
  'session_success',
  'session_failure',
]);

/**
 * After these, what they tell of is forgotten here: they must be on disk before it is. The others can be found out again
 * by looking at the machine if it loses its power.
 */
export const LAST_WORDS: ReadonlySet<AgentEventName> = new Set([
  'kernel_terminated',
  'session_success',
  'session_failure',
]);

/** Who hears these a second time finds nothing any more, and puts that in the place of what it found before (state.md §7). */
export const HARMFUL_TWICE: ReadonlySet<AgentEventName> = new Set(['do_sync_kernel_logs']);
