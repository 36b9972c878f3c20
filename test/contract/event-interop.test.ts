import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { toEnvelope, type WireGeneration } from '../../src/adapters/redis/wire/envelope.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { MANAGER_PYTHON, managerPythonMissing, OLDER_COMMONS } from '../support/manager-python.js';

/**
 * The reference's own libraries read what we send: backend.ai-common 26.9 (generation B) of a real Manager's Python, and
 * older ones (generation A) that the same Python imports from their folders.
 */
const READER = fileURLToPath(new URL('../fixtures/events/read_events.py', import.meta.url));
const READ_MS = 60_000;
const SENDER = { agentId: 'i-node01', resourceGroup: 'default', rpcAddress: 'tcp://10.0.0.5:6001' };

interface Vector {
  readonly event: AgentEvent['name'];
  readonly generation: WireGeneration;
  readonly direction: string;
  readonly delivery: string;
  readonly library: string;
  readonly stream_fields?: Readonly<Record<string, string | { readonly b64: string }>>;
  readonly channel_json?: string;
}

interface Reading {
  readonly error?: string;
  readonly values?: Record<string, unknown>;
}

const ALL = (
  JSON.parse(readFileSync(new URL('../fixtures/events/vectors.json', import.meta.url), 'utf8')) as Vector[]
).filter(({ direction }) => direction === 'from agent');
const IN_WORDS = ALL.filter(({ generation }) => generation === 'B');

const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');

/** As the reference wrote it. */
function theirs({ stream_fields: fields, channel_json: channel }: Vector): { fields?: object; channel?: string } {
  if (fields === undefined) return { channel: channel ?? '' };
  const encoded = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? base64(value) : value.b64,
  ]);
  return { fields: Object.fromEntries(encoded) as object };
}

/** The same event as we send it. */
function ours(vector: Vector, generation: WireGeneration): object {
  const { event, stream_fields: fields, channel_json: channel } = vector;
  const payload = fields?.['payload'] ?? (JSON.parse(channel ?? '') as { payload: string }).payload;
  const envelope = toEnvelope(
    { name: event, body: JSON.parse(payload as string) as never } as AgentEvent,
    SENDER,
    generation,
  );
  if (channel !== undefined) return { channel: envelope.channelText() };
  const pairs = envelope.fields.flatMap((name, at) =>
    at % 2 === 0 ? [[name as string, base64(envelope.fields[at + 1] ?? '')]] : [],
  );
  return { fields: Object.fromEntries(pairs) as object };
}

function read(messages: readonly object[], folder?: string): readonly Reading[] {
  const input = JSON.stringify(messages);
  const args = ['-I', READER, ...(folder === undefined ? [] : [folder])];
  const output = execFileSync(MANAGER_PYTHON, args, { input, timeout: READ_MS, maxBuffer: 64 * 2 ** 20 });
  return JSON.parse(output.toString('utf8')) as Reading[];
}

/** Each library of generation A refuses members that only another one has. */
function withoutMetadata(message: { readonly fields?: object; readonly channel?: string }): object {
  const { fields, channel } = message;
  if (channel === undefined) return { fields: { ...fields, metadata: undefined } };
  const parts = JSON.parse(channel) as Record<string, string>;
  return { channel: JSON.stringify({ ...parts, metadata: undefined }) };
}

/** Not told by us: Managers look elsewhere for the images (state.md §3.1). */
function withoutImages({ values, ...reading }: Reading): Reading {
  const info = values?.['agent_info'] as Record<string, unknown> | undefined;
  if (info === undefined) return { ...reading, ...(values === undefined ? {} : { values }) };
  return { ...reading, values: { ...values, agent_info: { ...info, images: undefined } } };
}

const missing = await managerPythonMissing();
if (missing !== undefined) process.stderr.write(`SKIPPED: the reference reads our events: ${missing}\n`);
if (OLDER_COMMONS.length === 0) process.stderr.write('SKIPPED: generation A: no unpacked backend.ai-common is there\n');

describe.skipIf(missing !== undefined)('the reference reads our events', () => {
  it.each(['B', 'dual'] as const)('with the library of 26.9, sent as %s', (generation) => {
    const wanted = read(IN_WORDS.map(theirs));
    const got = read(IN_WORDS.map((vector) => ours(vector, generation)));
    expect(wanted.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(got).toEqual(wanted);
  });

  it.each(
    OLDER_COMMONS.flatMap((folder) => (['A', 'dual'] as const).map((generation) => [folder, generation] as const)),
  )('with the library in %s, sent as %s', (folder, generation) => {
    // Of two libraries that wrote the same: the newer one's, in the order of the vectors in words.
    const like = (vector: Vector) =>
      ALL.filter(
        (other) =>
          other.generation === 'A' &&
          other.library.endsWith('26.8.3') &&
          other.event === vector.event &&
          other.delivery === vector.delivery,
      );
    const twins = IN_WORDS.map((vector) => {
      const index = IN_WORDS.filter(
        ({ event, delivery }) => event === vector.event && delivery === vector.delivery,
      ).indexOf(vector);
      return withoutMetadata(theirs(like(vector)[index] ?? vector));
    });
    const wanted = read(twins, folder).map(withoutImages);
    const got = read(
      IN_WORDS.map((vector) => ours(vector, generation)),
      folder,
    ).map(withoutImages);
    expect(wanted.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(got).toEqual(wanted);
  });

  it.each(OLDER_COMMONS)('and a reason that %s may not know does not make an event unreadable', (folder) => {
    const [vector] = IN_WORDS.filter(({ event }) => event === 'kernel_terminated');
    const text = vector?.stream_fields?.['payload'] as string;
    const changed = text.replace(/"reason":"[^"]*"/, '"reason":"triggered-by-scheduler"');
    const [reading] = read([ours({ ...vector!, stream_fields: { payload: changed } }, 'dual')], folder);
    expect(reading?.error).toBeUndefined();
    expect(JSON.stringify(reading?.values)).toContain('triggered-by-scheduler');
  });
});
