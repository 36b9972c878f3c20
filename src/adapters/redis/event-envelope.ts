import type { AgentEvent } from '../../domain/event/agent-event.js';

/** The shared stream of anycast events, its approximate length, and the channel of broadcasts (state.md §2.1). */
export const STREAM_KEY = 'events';
export const STREAM_MAX_LENGTH = 128;
export const BROADCAST_CHANNEL = 'events_all';

/** Of an event that no request and no span caused, as 26.9.6 writes it (state.md §2.3). */
const NO_METADATA = '{"request_id":null,"user":null,"triggered_user":null,"traceparent":null}';

/** An event in generation B, the same text for both transports. */
export interface Envelope {
  readonly name: string;
  readonly source: string;
  readonly payload: string;
  readonly metadata: string;
}

export function toEnvelope(event: AgentEvent, agentId: string): Envelope {
  return { name: event.name, source: agentId, payload: JSON.stringify(event.body), metadata: NO_METADATA };
}

/** Field, value, field, value, … of the stream entry. */
export function streamFields(envelope: Envelope): string[] {
  return Object.entries(envelope).flat() as string[];
}

/** The text that is published: a JSON object whose `payload` and `metadata` are themselves JSON text. */
export function channelText(envelope: Envelope): string {
  return JSON.stringify(envelope);
}
