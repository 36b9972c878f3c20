import { Encoder } from '@msgpack/msgpack';
import { isAgentError, messageOf } from '../../../domain/error/agent-error.js';
import { malformed, unencodable } from '../wire-errors.js';
import { type DocumentLimits, readDocument } from './document-reader.js';

/** Enough for `sync_kernel_registry` of tens of thousands of kernels and for an upload of many MiB. */
const DEFAULT_LIMITS: DocumentLimits = { maxBytes: 64 * 1024 * 1024, maxNodes: 262_144, maxDepth: 64 };

const encoder = new Encoder();

/**
 * Reads one document, as `readDocument` does.
 *
 * @throws ValueError, and nothing else, for whatever can't be read.
 */
export function decodeDocument(bytes: Uint8Array, limits: DocumentLimits = DEFAULT_LIMITS): unknown {
  try {
    return readDocument(bytes, limits);
  } catch (error) {
    throw isAgentError(error) ? error : malformed(messageOf(error), { cause: error });
  }
}

const MAX_RESULT_DEPTH = 64;

/**
 * Writes plain MessagePack without extensions (rpc.md §3.6): `undefined` is nil, bytes stay bytes, and every text is
 * valid UTF-8, since a reply that can't be decoded kills the Manager's receive loop (rpc.md §1.11).
 *
 * @throws EncodeError for anything that plain MessagePack has no word for.
 */
export function encodeDocument(value: unknown): Uint8Array {
  const plain = plainOf(value, 0);
  try {
    // A copy in a buffer of the pool: the encoder's own takes memory of its own for each, which costs more than encoding.
    return Buffer.from(encoder.encodeSharedRef(plain));
  } catch (error) {
    throw unencodable(`the result can't be encoded: ${messageOf(error)}`);
  }
}

function plainOf(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return wellFormed(value);
  if (value === undefined || value === null || typeof value === 'number' || typeof value === 'boolean')
    return value ?? null;
  if (value instanceof Uint8Array) return value;
  if (depth >= MAX_RESULT_DEPTH) throw unencodable('the result is nested too deeply');
  if (Array.isArray(value)) return value.map((item) => plainOf(item, depth + 1));
  if (!isPlain(value)) throw unencodable(`the result holds a ${typeof value} that is no plain value`);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [wellFormed(key), plainOf(inner, depth + 1)]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The text with halves of characters replaced, so that it has a UTF-8 form. */
export function wellFormed(text: string): string {
  return text.toWellFormed();
}
