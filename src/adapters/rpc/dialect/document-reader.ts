import { malformed } from '../wire-errors.js';
import { readExtension } from './extensions.js';
import { KnownKeys } from './known-keys.js';
import { EnumWord } from './wire-values.js';

export interface DocumentLimits {
  readonly maxBytes: number;
  /** Values of any kind, containers included. */
  readonly maxNodes: number;
  /** Containers inside one another. */
  readonly maxDepth: number;
}

/** Would change the object instead of being in it. */
const PROTOTYPE = '__proto__';

const knownKeys = new KnownKeys();

/**
 * Reads one MessagePack document of the dialect of rpc.md §3 in a single pass: maps become plain objects, extensions what
 * `readExtension` says, integers that a number does not hold exactly bigints.
 *
 * Nothing is made of what isn't there: lengths and counts are compared with the bytes that are left before anything is
 * taken for them, and `limits` bound the stack and the number of values.
 *
 * @throws ValueError for anything that is not exactly one document within `limits`.
 */
export function readDocument(bytes: Uint8Array, limits: DocumentLimits): unknown {
  if (bytes.length > limits.maxBytes) {
    throw malformed(`message of ${bytes.length} bytes is larger than the ${limits.maxBytes} allowed`);
  }
  const reader = new DocumentReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits);
  const value = reader.value(0);
  if (reader.left > 0) throw malformed(`${reader.left} bytes after the end of the document`);
  return value;
}

class DocumentReader {
  private at = 0;
  private nodes = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly limits: DocumentLimits,
  ) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** The value that begins here, inside of `depth` containers. */
  value(depth: number): unknown {
    this.count();
    const lead = this.bytes[this.take(1)] ?? 0;
    if (lead < 0x80) return lead;
    if (lead < 0x90) return this.map(lead & 0x0f, depth);
    if (lead < 0xa0) return this.array(lead & 0x0f, depth);
    if (lead < 0xc0) return this.text(lead & 0x1f);
    if (lead >= 0xe0) return lead - 0x100;
    return this.led(lead, depth);
  }

  /** What the lead bytes 0xc0 … 0xdf of the MessagePack format announce. */
  private led(lead: number, depth: number): unknown {
    switch (lead) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.blob(this.unsigned(1));
      case 0xc5:
        return this.blob(this.unsigned(2));
      case 0xc6:
        return this.blob(this.unsigned(4));
      case 0xc7:
        return this.extension(this.unsigned(1));
      case 0xc8:
        return this.extension(this.unsigned(2));
      case 0xc9:
        return this.extension(this.unsigned(4));
      case 0xca:
        return this.bytes.readFloatBE(this.take(4));
      case 0xcb:
        return this.bytes.readDoubleBE(this.take(8));
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xcf:
        return numberOf(this.bytes.readBigUInt64BE(this.take(8)));
      case 0xd0:
        return this.bytes.readInt8(this.take(1));
      case 0xd1:
        return this.bytes.readInt16BE(this.take(2));
      case 0xd2:
        return this.bytes.readInt32BE(this.take(4));
      case 0xd3:
        return numberOf(this.bytes.readBigInt64BE(this.take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(2 ** (lead - 0xd4));
      case 0xd9:
        return this.text(this.unsigned(1));
      case 0xda:
        return this.text(this.unsigned(2));
      case 0xdb:
        return this.text(this.unsigned(4));
      case 0xdc:
        return this.array(this.unsigned(2), depth);
      case 0xdd:
        return this.array(this.unsigned(4), depth);
      case 0xde:
        return this.map(this.unsigned(2), depth);
      case 0xdf:
        return this.map(this.unsigned(4), depth);
      default:
        throw malformed('byte 0xc1 is never used in MessagePack');
    }
  }

  /** Where the next `count` bytes begin, which are then behind us. */
  private take(count: number): number {
    const start = this.at;
    if (start + count > this.bytes.length) throw malformed('the document ends in the middle');
    this.at = start + count;
    return start;
  }

  private unsigned(width: 1 | 2 | 4): number {
    const start = this.take(width);
    if (width === 1) return this.bytes[start] ?? 0;
    return width === 2 ? this.bytes.readUInt16BE(start) : this.bytes.readUInt32BE(start);
  }

  private text(length: number): string {
    const start = this.take(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  private blob(length: number): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + this.take(length), length);
  }

  private extension(length: number): unknown {
    const code = this.bytes.readInt8(this.take(1));
    return readExtension(this.blob(length), code);
  }

  private array(length: number, depth: number): unknown[] {
    this.open(length, depth);
    const items: unknown[] = [];
    for (let i = 0; i < length; i += 1) items.push(this.value(depth + 1));
    return items;
  }

  private map(length: number, depth: number): Record<string, unknown> {
    this.open(length * 2, depth);
    const map: Record<string, unknown> = {};
    for (let i = 0; i < length; i += 1) {
      const key = this.key(depth + 1);
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  /** Most keys are short texts. */
  private key(depth: number): string {
    const lead = this.bytes[this.at] ?? 0;
    if (lead < 0xa0 || lead > 0xbf) return keyOf(this.value(depth));
    this.count();
    const start = this.take(1 + (lead & 0x1f)) + 1;
    return keyOf(knownKeys.read(this.bytes, start, this.at));
  }

  private count(): void {
    this.nodes += 1;
    if (this.nodes > this.limits.maxNodes) throw malformed(`more than ${this.limits.maxNodes} values in one document`);
  }

  /** Every value takes a byte at least: a count beyond the rest of the bytes is a lie told to make us allocate. */
  private open(children: number, depth: number): void {
    if (children > this.left) throw malformed('the document announces more values than it has bytes');
    if (children > 0 && depth >= this.limits.maxDepth) {
      throw malformed(`more than ${this.limits.maxDepth} levels of nesting`);
    }
  }
}

/** As a number where that holds it exactly. */
function numberOf(value: bigint): number | bigint {
  return BigInt.asIntN(54, value) === value ? Number(value) : value;
}

/** Keys become texts: UUIDs and enumeration members do occur as keys (rpc.md §3.1). */
function keyOf(key: unknown): string {
  if (typeof key === 'string') {
    if (key === PROTOTYPE) throw malformed(`a mapping has the key ${PROTOTYPE}`);
    return key;
  }
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key);
  if (key instanceof EnumWord) return keyOf(key.value);
  throw malformed('a mapping has a key that is neither text nor number');
}
