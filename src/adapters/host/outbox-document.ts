import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { OutboxEntry } from '../../application/ports/outbox.port.js';
import { type AgentEvent, DELIVERY } from '../../domain/event/agent-event.js';
import { type KernelId, parseKernelId } from '../../domain/kernel/kernel-id.js';

/**
 * The outbox file: one record a line, each `checksum JSON\n` with the CRC-32 of the JSON in eight hexadecimal digits.
 * JSON holds no line break, so after a broken record the next line is whole again.
 *
 * `{"outbox":1}` begins the file; `{"ended":[…]}` names kernels whose end was told before; `{"id","at","event"}` is an
 * entry; `{"done":[…]}` names entries that were delivered.
 */
export const HEADER = line({ outbox: 1 });

const recordSchema = z.union([
  z.strictObject({ outbox: z.literal(1) }),
  z.strictObject({ ended: z.array(z.string().transform((id) => parseKernelId(id))) }),
  z.strictObject({
    id: z.string().min(1).max(100),
    at: z.number(),
    event: z.object({
      name: z.string().refine((name) => Object.hasOwn(DELIVERY, name)),
      body: z.record(z.string(), z.unknown()),
    }),
  }),
  z.strictObject({ done: z.array(z.string()) }),
]);

export interface OutboxDocument {
  /** Entries that were not delivered, the oldest first. */
  readonly entries: readonly OutboxEntry[];
  readonly ended: readonly KernelId[];
  /** Events in the order in which they were written, also of those that were delivered: they tell which kernels ended. */
  readonly told: readonly AgentEvent[];
  /** Lines that could not be read. */
  readonly broken: readonly Buffer[];
  /** The last record was not complete: the agent died while it wrote it, and nobody was told that it is stored. */
  readonly torn: boolean;
}

export function entryLine({ id, atMs, event }: OutboxEntry): string {
  return line({ id, at: atMs, event });
}

export function doneLine(ids: readonly string[]): string {
  return line({ done: ids });
}

export function endedLine(ids: readonly KernelId[]): string {
  return line({ ended: ids });
}

/** Never throws: what can't be read is among `broken`. */
export function readOutbox(content: Buffer): OutboxDocument {
  const entries = new Map<string, OutboxEntry>();
  const ended: KernelId[] = [];
  const told: AgentEvent[] = [];
  const broken: Buffer[] = [];
  let start = 0;
  for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, start)) {
    const bytes = content.subarray(start, end);
    start = end + 1;
    const record = read(bytes);
    if (record === undefined) broken.push(bytes);
    else if ('ended' in record) ended.push(...record.ended);
    else if ('done' in record) for (const id of record.done) entries.delete(id);
    else if ('event' in record) {
      const event = record.event as unknown as AgentEvent;
      entries.set(record.id, { id: record.id, atMs: record.at, event });
      told.push(event);
    }
  }
  return { entries: [...entries.values()], ended, told, broken, torn: start < content.length };
}

function read(bytes: Buffer): z.infer<typeof recordSchema> | undefined {
  const json = bytes.subarray(9);
  if (bytes[8] !== 32 || bytes.toString('latin1', 0, 8) !== checksum(json)) return undefined;
  try {
    return recordSchema.parse(JSON.parse(json.toString('utf8')));
  } catch {
    return undefined;
  }
}

function line(record: object): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string | Buffer): string {
  return crc32(json).toString(16).padStart(8, '0');
}
