import { messageOf } from '../../../domain/error/agent-error.js';
import { decodeDocument, encodeDocument, wellFormed } from '../dialect/document-codec.js';
import type { DocumentLimits } from '../dialect/scan.js';

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
}

/** Name, representation and traceback of an error (rpc.md §1.6). */
export type FailureDetail = readonly [name: string, repr: string, traceback: string];

export type Frames = readonly Uint8Array[];

export type Incoming =
  | { readonly kind: 'ping'; readonly reply: Frames }
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
  if (PING.equals(type)) return { kind: 'ping', reply: [...frames.slice(0, -3), PONG, header, body] };
  if (!UPPER.equals(type)) return { kind: 'ignored', reason: 'unknown message class' };

  const map = tryDecode(header, HEADER_LIMITS);
  if (typeof map === 'string') return { kind: 'ignored', reason: `header: ${map}` };
  const id = requestIdOf(map);
  if (id === undefined) return { kind: 'ignored', reason: 'the header does not say what it answers to' };
  return parseCall(peer, id, map, body, maxBodyBytes);
}

function parseCall(
  peer: Uint8Array,
  id: RequestId,
  header: Readonly<Record<string, unknown>>,
  body: Uint8Array,
  maxBodyBytes: number,
): Incoming {
  const rejected = (reason: string): Incoming => ({ kind: 'rejected', peer, id, reason });
  const type = header['type'];
  if (type === MessageType.CANCEL) return { kind: 'cancel', peer, id };
  if (typeof type !== 'number' || type > MessageType.CANCELLED || type < 0 || !Number.isInteger(type)) {
    return rejected('header: unknown message type');
  }
  if (type !== MessageType.FUNCTION) return { kind: 'ignored', reason: 'a reply where only requests are expected' };
  if (header['zip'] === true) return rejected('compressed bodies are not supported; send zip: false');
  if (header['zip'] !== false) return rejected("header: 'zip' must be true or false");

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

/** `body` is an encoded document: never empty (rpc.md §1.11). */
export function resultFrames(peer: Uint8Array, id: RequestId, body: Uint8Array): Frames {
  return [peer, UPPER, headerOf(MessageType.RESULT, id), encodeDocument({ meta: EMPTY_META, body })];
}

export function failureFrames(peer: Uint8Array, id: RequestId, detail: FailureDetail): Frames {
  const meta = encodeDocument(detail.map((text) => wellFormed(text.slice(0, MAX_FAILURE_TEXT))));
  return [peer, UPPER, headerOf(MessageType.FAILURE, id), encodeDocument({ meta, body: null })];
}

function headerOf(type: number, id: RequestId): Uint8Array {
  return encodeDocument({ type, meth: id.method, okey: id.okey, seq: id.seq, zip: false });
}

/** One text per (peer, request id): texts and bytes as ordering keys stay different. */
export function requestKey(peer: Uint8Array, id: RequestId): string {
  const okey = typeof id.okey === 'string' ? `s${id.okey}` : `b${Buffer.from(id.okey).toString('latin1')}`;
  return JSON.stringify([Buffer.from(peer).toString('latin1'), id.seq, id.method, okey]);
}
