import type { AgentEvent } from '../../../domain/event/agent-event.js';
import { argsOf } from './generation-a.js';
import { NO_METADATA, payloadOf } from './generation-b.js';
import type { Sender } from './sender.js';

/** The two bodies that 26.x Managers read, and the message that carries both (state.md §0). */
export type WireGeneration = 'A' | 'B' | 'dual';

/** An event as it goes out. */
export interface Envelope {
  /** Field, value, field, value, … of the stream entry. */
  readonly fields: readonly (string | Uint8Array)[];
  /** JSON text for the channel; its `payload` and `metadata` are themselves JSON texts, its `args` base64. */
  channelText(): string;
}

/** Generation A refuses members of the metadata that it does not know: A and dual go without any (state.md §0). */
export function toEnvelope(event: AgentEvent, sender: Sender, generation: WireGeneration): Envelope {
  const args = generation === 'B' ? undefined : argsOf(event, sender);
  const payload = generation === 'A' ? undefined : payloadOf(event);
  const fields: (string | Uint8Array)[] = ['name', event.name, 'source', sender.agentId];
  if (args !== undefined) fields.push('args', args);
  if (payload !== undefined) fields.push('payload', payload);
  if (generation === 'B') fields.push('metadata', NO_METADATA);
  return {
    fields,
    channelText: () => {
      const text = { name: event.name, source: sender.agentId, args: args && base64(args), payload };
      return JSON.stringify(generation === 'B' ? { ...text, metadata: NO_METADATA } : text);
    },
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
