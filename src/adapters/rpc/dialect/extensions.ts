import { malformed } from '../wire-errors.js';
import {
  readBinarySize,
  readDecimal,
  readEnumWord,
  readImageRef,
  readResourceSlot,
  readSlotName,
} from './pickled-values.js';
import { readTemporenc } from './temporenc.js';
import { UnknownExtension } from './wire-values.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A Manager sends the same few members and images again and again. */
const MAX_REMEMBERED = 256;
const MAX_REMEMBERED_BYTES = 512;

/** `read`, which makes unchangeable values, with a memory of the last small ones. */
function remembering<T extends object>(read: (data: Uint8Array) => T): (data: Uint8Array) => T {
  const known = new Map<string, T>();
  return (data) => {
    if (data.length > MAX_REMEMBERED_BYTES) return read(data);
    const key = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = read(data);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(key, made);
    return made;
  };
}

/** Extension code → reader (rpc.md §3.2). */
const READERS: ReadonlyMap<number, (data: Uint8Array) => unknown> = new Map<number, (data: Uint8Array) => unknown>([
  [1, readUuid],
  [2, readTemporenc],
  [3, readDecimal],
  [4, readPath],
  [5, readPath],
  [6, remembering(readEnumWord)],
  [7, remembering(readImageRef)],
  [8, readResourceSlot],
  [9, readSlotName],
  [16, readBinarySize],
  [17, readPath],
]);

/** @throws ValueError when the data is not what the code promises. */
export function readExtension(data: Uint8Array, code: number): unknown {
  const read = READERS.get(code);
  return read === undefined ? new UnknownExtension(code) : read(data);
}

function readUuid(data: Uint8Array): string {
  if (data.length !== 16) throw malformed(`a UUID has 16 bytes, not ${data.length}`);
  const hex = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function readPath(data: Uint8Array): string {
  try {
    return utf8.decode(data);
  } catch (cause) {
    throw malformed('a path is no UTF-8', { cause });
  }
}
