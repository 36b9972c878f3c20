import { DELIVERY } from '../../../domain/event/agent-event.js';
import type { WireGeneration } from './envelope.js';

/** What of a stream entry tells its generation. */
export interface StreamSample {
  readonly id: string;
  readonly name: string;
  readonly hasArgs: boolean;
  readonly hasPayload: boolean;
}

/** Older entries may be of a Manager that was replaced since: one that runs adds some every second (state.md §2.1). */
const MAX_AGE_MS = 30_000;

/**
 * Which generation the Managers speak, from what they wrote lately. Events that agents send are no witness: neither ours
 * nor another agent's, who may be guessing as well. None or both kinds: `dual`, which every Manager can read.
 */
export function decideGeneration(samples: readonly StreamSample[], nowMs: number): WireGeneration {
  const seen = new Set<WireGeneration>();
  for (const { id, name, hasArgs, hasPayload } of samples) {
    const isFresh = nowMs - Number(id.split('-', 1)[0]) <= MAX_AGE_MS;
    if (isFresh && hasArgs !== hasPayload && !Object.hasOwn(DELIVERY, name)) seen.add(hasArgs ? 'A' : 'B');
  }
  const [only] = seen;
  return seen.size === 1 && only !== undefined ? only : 'dual';
}
