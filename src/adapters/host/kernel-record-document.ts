import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { KernelRecord } from '../../domain/kernel/kernel-record.js';
import { kernelRecordSchema } from './kernel-record.schema.js';

/** Of the document around the record; the record has a version of its own. */
const FORMAT = 1;

const envelope = z.object({ format: z.literal(FORMAT), sha256: z.string(), record: z.unknown() });

/** The text of a record's file. It ends in its last brace, so that every cut of it is noticed. */
export function toDocument(record: KernelRecord): string {
  return JSON.stringify({ format: FORMAT, sha256: checksum(record), record }, undefined, 1);
}

/** Throws with the reason on anything that `toDocument` did not write. */
export function fromDocument(document: string): KernelRecord {
  const { sha256, record } = envelope.parse(JSON.parse(document));
  // JSON keeps the order of keys: what was read gives the very text that was summed up.
  if (checksum(record) !== sha256) throw new Error('the checksum is wrong');
  return kernelRecordSchema.parse(record);
}

function checksum(record: unknown): string {
  return createHash('sha256').update(JSON.stringify(record)).digest('hex');
}
