import { Decoder, Encoder, type ExtensionCodecType } from '@msgpack/msgpack';
import { isAgentError, messageOf } from '../../../domain/error/agent-error.js';
import { malformed, unencodable } from '../wire-errors.js';
import { readExtension } from './extensions.js';
import { scanDocument, type DocumentLimits } from './scan.js';
import { EnumWord } from './wire-values.js';

/** Enough for `sync_kernel_registry` of tens of thousands of kernels and for an upload of many MiB. */
const DEFAULT_LIMITS: DocumentLimits = { maxBytes: 64 * 1024 * 1024, maxNodes: 262_144, maxDepth: 64 };

const extensionCodec: ExtensionCodecType<undefined> = {
  tryToEncode: () => null,
  decode: readExtension,
};

/** Keys become texts: UUIDs and enumeration members do occur as keys (rpc.md §3.1). */
function keyOf(key: unknown): string {
  if (typeof key === 'string') return key;
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key);
  if (key instanceof EnumWord) return key.value;
  throw malformed('a mapping has a key that is neither text nor number');
}

const options = { extensionCodec, mapKeyConverter: keyOf };
const narrow = new Decoder(options);
const wide = new Decoder({ ...options, useBigInt64: true });
const encoder = new Encoder({ extensionCodec });

/**
 * Reads one document of the dialect of rpc.md §3. Maps become plain objects, extensions what `readExtension` says;
 * integers beyond ±2^53 become bigints.
 *
 * @throws ValueError, and nothing else, for whatever can't be read.
 */
export function decodeDocument(bytes: Uint8Array, limits: DocumentLimits = DEFAULT_LIMITS): unknown {
  const { wideIntegers } = scanDocument(bytes, limits);
  try {
    return wideIntegers ? narrowed(wide.decode(bytes)) : narrow.decode(bytes);
  } catch (error) {
    throw isAgentError(error) ? error : malformed(messageOf(error), { cause: error });
  }
}

/** Turns bigints that a number holds exactly back into numbers. Depth is bounded by the scan before. */
function narrowed(value: unknown): unknown {
  if (typeof value === 'bigint') return BigInt.asIntN(54, value) === value ? Number(value) : value;
  if (Array.isArray(value)) return value.map(narrowed);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, narrowed(inner)]));
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
    return encoder.encode(plain);
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
