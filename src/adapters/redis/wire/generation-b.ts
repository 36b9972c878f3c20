import type { AgentEvent } from '../../../domain/event/agent-event.js';

/** Of an event that no request and no span caused, as 26.9.6 writes it (state.md §2.3). */
export const NO_METADATA = '{"request_id":null,"user":null,"triggered_user":null,"traceparent":null}';

/** Members that the reference declares as floating-point numbers: it prints whole ones with a fraction. */
const FLOATS: ReadonlySet<string> = new Set(['timestamp', 'current_progress', 'total_progress']);

/** The body of an event in generation B: compact JSON with named members (state.md §2.3). */
export function payloadOf({ body }: AgentEvent): string {
  const members = Object.entries(body).map(([name, value]) => `${JSON.stringify(name)}:${valueOf(name, value)}`);
  return `{${members.join(',')}}`;
}

function valueOf(name: string, value: unknown): string {
  const isWholeFloat = FLOATS.has(name) && Number.isSafeInteger(value);
  return isWholeFloat ? `${value as number}.0` : JSON.stringify(value);
}
