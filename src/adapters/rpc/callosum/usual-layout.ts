/**
 * The one way in which Callosum lays out a header and a body (rpc.md §1.4, §1.5), read by position: every message of
 * every real Manager takes this path. Anything else is `undefined` here and goes through the general reader.
 */

export interface UsualHeader {
  readonly type: number;
  readonly method: string;
  readonly okey: Uint8Array | string;
  readonly seq: number;
  readonly zip: boolean;
}

const TYPE_KEY = Buffer.from('\x85\xa4type', 'latin1');
const METHOD_KEY = Buffer.from('\xa4meth', 'latin1');
const ORDER_KEY = Buffer.from('\xa4okey', 'latin1');
const SEQUENCE_KEY = Buffer.from('\xa3seq', 'latin1');
const ZIP_KEY = Buffer.from('\xa3zip', 'latin1');
const NO_META = Buffer.from('\x82\xa4meta\xc4\x00\xa4body', 'latin1');
const EMPTY_META = Buffer.from('\x82\xa4meta\xc4\x01\x90\xa4body', 'latin1');

/** Where the message type stands in a header of this layout. */
export const TYPE_AT = TYPE_KEY.length;
const EMPTY = Buffer.alloc(0);

export function readUsualHeader(bytes: Buffer): UsualHeader | undefined {
  const type = bytes[TYPE_AT];
  if (type === undefined || type > 0x7f || !startsAt(bytes, 0, TYPE_KEY)) return undefined;
  let at = TYPE_AT + 1;

  if (!startsAt(bytes, at, METHOD_KEY)) return undefined;
  at += METHOD_KEY.length;
  const methodEnd = endOfWord(bytes, at);
  if (methodEnd === undefined) return undefined;
  const method = bytes.toString('latin1', at + 1, methodEnd);
  at = methodEnd;

  if (!startsAt(bytes, at, ORDER_KEY)) return undefined;
  at += ORDER_KEY.length;
  let okey: Uint8Array | string;
  if (bytes[at] === 0xc4 && bytes[at + 1] === 0) {
    okey = EMPTY;
    at += 2;
  } else {
    const end = endOfWord(bytes, at);
    if (end === undefined) return undefined;
    okey = bytes.toString('latin1', at + 1, end);
    at = end;
  }

  if (!startsAt(bytes, at, SEQUENCE_KEY)) return undefined;
  at += SEQUENCE_KEY.length;
  const width = sequenceWidth(bytes[at]);
  if (width === undefined || at + 1 + width > bytes.length) return undefined;
  const seq = width === 0 ? (bytes[at] ?? 0) : bytes.readUIntBE(at + 1, width);
  at += 1 + width;

  const zip = bytes[at + ZIP_KEY.length];
  if (!startsAt(bytes, at, ZIP_KEY) || (zip !== 0xc2 && zip !== 0xc3)) return undefined;
  if (at + ZIP_KEY.length + 1 !== bytes.length) return undefined;
  return { type, method, okey, seq, zip: zip === 0xc3 };
}

/** The document inside the body of a FUNCTION. */
export function readUsualBody(bytes: Buffer): Uint8Array | undefined {
  let at: number;
  if (startsAt(bytes, 0, NO_META)) at = NO_META.length;
  else if (startsAt(bytes, 0, EMPTY_META)) at = EMPTY_META.length;
  else return undefined;
  const width = { 0xc4: 1, 0xc5: 2, 0xc6: 4 }[bytes[at] ?? 0];
  if (width === undefined || at + 1 + width > bytes.length) return undefined;
  const start = at + 1 + width;
  return start + bytes.readUIntBE(at + 1, width) === bytes.length ? bytes.subarray(start) : undefined;
}

function startsAt(bytes: Buffer, at: number, pattern: Buffer): boolean {
  if (at + pattern.length > bytes.length) return false;
  for (let i = 0; i < pattern.length; i += 1) if (bytes[at + i] !== pattern[i]) return false;
  return true;
}

/** The end of a short ASCII text that begins at `at`. */
function endOfWord(bytes: Buffer, at: number): number | undefined {
  const lead = bytes[at];
  if (lead === undefined || lead < 0xa0 || lead > 0xbf) return undefined;
  const end = at + 1 + (lead & 0x1f);
  if (end > bytes.length) return undefined;
  for (let i = at + 1; i < end; i += 1) if ((bytes[i] ?? 0x80) > 0x7f) return undefined;
  return end;
}

function sequenceWidth(lead: number | undefined): 0 | 1 | 2 | 4 | undefined {
  if (lead === undefined) return undefined;
  if (lead < 0x80) return 0;
  if (lead === 0xcc) return 1;
  if (lead === 0xcd) return 2;
  return lead === 0xce ? 4 : undefined;
}
