import { messageOf } from '../../../domain/error/agent-error.js';
import { decodeDocument, encodeDocument, wellFormed } from '../dialect/document-codec.js';
import type { DocumentLimits } from '../dialect/document-reader.js';
import { readUsualBody, readUsualHeader, TYPE_AT } from './usual-layout.js';

/** Callosum's messages as a ROUTER sees them (rpc.md §1.2–1.7): pure functions between frames and meaning. */

/** rpc.md §1.6. */
const MessageType = {
  NULL: 0,
  FUNCTION: 1,
  RESULT: 2,
  FAILURE: 3,
  ERROR: 4,
  CANCEL: 5,
  CANCELLED: 6,
} as const;

/** What makes a reply belong to a request; all three are echoed with their exact types (rpc.md §1.4). */
export interface RequestId {
  readonly method: string;
  readonly okey: Uint8Array | string;
  readonly seq: number;
  /** The request's header, if a reply's differs from it in nothing but the type. */
  readonly header?: Buffer;
}

/** Name, representation and traceback of an error (rpc.md §1.6). */
export type FailureDetail = readonly [name: string, repr: string, traceback: string];

export type Frames = readonly Uint8Array[];

export type Incoming =
  | { readonly kind: 'ping'; readonly peer: Uint8Array; readonly reply: Frames }
  | { readonly kind: 'function'; readonly peer: Uint8Array; readonly id: RequestId; readonly body: Uint8Array | null }
  | { readonly kind: 'cancel'; readonly peer: Uint8Array; readonly id: RequestId }
  /** Wrong, but from a caller who can be told so. */
  | { readonly kind: 'rejected'; readonly peer: Uint8Array; readonly id: RequestId; readonly reason: string }
  /** Wrong, and nobody to tell. */
  | { readonly kind: 'ignored'; readonly reason: string };

const UPPER = Buffer.from('UPPER');
const PING = Buffer.from('PING');
const PONG = Buffer.from('PONG');
const EMPTY_META = Buffer.from([0x90]);

const HEADER_LIMITS: DocumentLimits = { maxBytes: 4_096, maxNodes: 64, maxDepth: 4 };
const BODY_NODES = 16;
/** Replies carry at most this much of an error's text. */
const MAX_FAILURE_TEXT = 16_384;

/** Reads one message; never throws. `maxBodyBytes` bounds the body frame. */
export function parseMessage(frames: Frames, maxBodyBytes: number): Incoming {
  const [type, header, body] = frames.slice(-3);
  const peer = frames[0];
  if (frames.length < 4 || peer === undefined || type === undefined || header === undefined || body === undefined) {
    return { kind: 'ignored', reason: 'fewer than four frames' };
  }
  if (PING.equals(type)) return { kind: 'ping', peer, reply: [...frames.slice(0, -3), PONG, header, body] };
  if (!UPPER.equals(type)) return { kind: 'ignored', reason: 'unknown message class' };

  const usual = readUsualHeader(bufferOf(header));
  if (usual !== undefined) {
    const { method, okey, seq, zip } = usual;
    // A reply is never compressed: what asks for it can't be echoed.
    const id = { method, okey, seq, ...(!zip && { header: bufferOf(header) }) };
    return parseCall(peer, id, usual, body, maxBodyBytes);
  }
  const map = tryDecode(header, HEADER_LIMITS);
  if (typeof map === 'string') return { kind: 'ignored', reason: `header: ${map}` };
  const id = requestIdOf(map);
  if (id === undefined) return { kind: 'ignored', reason: 'the header does not say what it answers to' };
  return parseCall(peer, id, { type: map['type'], zip: map['zip'] }, body, maxBodyBytes);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parseCall(
  peer: Uint8Array,
  id: RequestId,
  { type, zip }: { readonly type: unknown; readonly zip: unknown },
  body: Uint8Array,
  maxBodyBytes: number,
): Incoming {
  const rejected = (reason: string): Incoming => ({ kind: 'rejected', peer, id, reason });
  if (type === MessageType.CANCEL) return { kind: 'cancel', peer, id };
  if (typeof type !== 'number' || type > MessageType.CANCELLED || type < 0 || !Number.isInteger(type)) {
    return rejected('header: unknown message type');
  }
  if (type !== MessageType.FUNCTION) return { kind: 'ignored', reason: 'a reply where only requests are expected' };
  if (zip === true) return rejected('compressed bodies are not supported; send zip: false');
  if (zip !== false) return rejected("header: 'zip' must be true or false");

  const usual = body.length > maxBodyBytes ? undefined : readUsualBody(bufferOf(body));
  if (usual !== undefined) return { kind: 'function', peer, id, body: usual };
  const map = tryDecode(body, { maxBytes: maxBodyBytes, maxNodes: BODY_NODES, maxDepth: 2 });
  if (typeof map === 'string') return rejected(`body: ${map}`);
  const meta = map['meta'];
  // Metadata of a FUNCTION is empty or an empty array; the reference fails on anything else.
  if (!(meta instanceof Uint8Array) || !(meta.length === 0 || EMPTY_META.equals(meta))) {
    return rejected("body: 'meta' must be empty bytes");
  }
  const inner = map['body'];
  if (inner !== null && !(inner instanceof Uint8Array)) return rejected("body: 'body' must be bytes or nil");
  return { kind: 'function', peer, id, body: inner };
}

/** The map, or in words why there is none. */
function tryDecode(bytes: Uint8Array, limits: DocumentLimits): Readonly<Record<string, unknown>> | string {
  try {
    const value = decodeDocument(bytes, limits);
    if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      return value as Record<string, unknown>;
    }
    return 'not a map';
  } catch (error) {
    return messageOf(error);
  }
}

function requestIdOf(header: Readonly<Record<string, unknown>>): RequestId | undefined {
  const { meth, okey, seq } = header;
  if (typeof meth !== 'string' || typeof seq !== 'number' || !Number.isSafeInteger(seq)) return undefined;
  if (typeof okey !== 'string' && !(okey instanceof Uint8Array)) return undefined;
  return { method: meth, okey, seq };
}

const RESULT_BODY = Buffer.from('\x82\xa4meta\xc4\x01\x90\xa4body', 'latin1');

/** `document` is an encoded one: never empty (rpc.md §1.11). */
export function resultFrames(peer: Uint8Array, id: RequestId, document: Uint8Array): Frames {
  const lead = binaryLead(document.length);
  return [peer, UPPER, headerOf(MessageType.RESULT, id), Buffer.concat([RESULT_BODY, lead, document])];
}

/** What MessagePack puts before so many bytes. */
function binaryLead(length: number): Buffer {
  if (length < 0x100) return Buffer.of(0xc4, length);
  if (length < 0x1_0000) return Buffer.of(0xc5, length >>> 8, length & 0xff);
  return Buffer.of(0xc6, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

export function failureFrames(peer: Uint8Array, id: RequestId, detail: FailureDetail): Frames {
  const meta = encodeDocument(detail.map((text) => wellFormed(text.slice(0, MAX_FAILURE_TEXT))));
  return [peer, UPPER, headerOf(MessageType.FAILURE, id), encodeDocument({ meta, body: null })];
}

function headerOf(type: number, id: RequestId): Uint8Array {
  if (id.header !== undefined) {
    const header = Buffer.from(id.header);
    header[TYPE_AT] = type;
    return header;
  }
  return encodeDocument({ type, meth: id.method, okey: id.okey, seq: id.seq, zip: false });
}

/** The connection as text. */
export function peerKey(peer: Uint8Array): string {
  return bufferOf(peer).toString('hex');
}

/** One text per (peer, request id): texts and bytes as ordering keys stay different. */
export function requestKey(peer: string, { method, okey, seq }: RequestId): string {
  const order = typeof okey === 'string' ? `s${okey}` : `b${Buffer.from(okey).toString('latin1')}`;
  return `${peer} ${seq} ${order.length} ${order} ${method}`;
}
