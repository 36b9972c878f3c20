import { malformed } from '../wire-errors.js';

/**
 * A reader for the pickles of rpc.md §3.5 that executes nothing: a name in a pickle stays a name, a call stays a note
 * of what would have been called. What may come of it is decided by pickled-values.ts.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<string, PickleValue>
  | PickleGlobal
  | PickleObject;

/** `module.name`, never resolved. */
export class PickleGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}
}

/** `callable(*args)` and the state set on it, never executed. */
export class PickleObject {
  state: PickleValue = null;

  constructor(
    readonly callable: PickleGlobal,
    readonly args: readonly PickleValue[],
  ) {}
}

const MAX_BYTES = 65_536;
const MAX_OPS = 16_384;
const MAX_STACK = 1_024;
const MAX_MEMO = 4_096;
const MAX_INTEGER_BYTES = 32;
const MAX_PROTOCOL = 5;

/** Python's None on its way to the stack, where it becomes `null`. */
const NONE = Symbol('None');

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * @throws ValueError for anything but the opcodes of rpc.md §3.5 within the bounds above.
 */
export function readPickle(bytes: Uint8Array): PickleValue {
  if (bytes.length > MAX_BYTES)
    throw malformed(`pickle of ${bytes.length} bytes is larger than the ${MAX_BYTES} allowed`);
  return new PickleReader(bytes).run();
}

class PickleReader {
  private readonly view: DataView;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo: PickleValue[] = [];
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): PickleValue {
    for (let ops = 0; ops < MAX_OPS; ops += 1) {
      const op = this.uint8();
      if (op === 0x2e) return this.stop();
      this.execute(op);
      if (this.stack.length > MAX_STACK) throw malformed('pickle stack is too deep');
    }
    throw malformed('pickle has too many steps');
  }

  private stop(): PickleValue {
    const value = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) throw malformed('pickle stops with values left over');
    if (this.at !== this.bytes.length) throw malformed('bytes after the end of the pickle');
    return value;
  }

  private execute(op: number): void {
    const value = this.literal(op) ?? this.composed(op);
    if (value === undefined) this.effect(op);
    else this.stack.push(value === NONE ? null : value);
  }

  /** Values that stand in the pickle itself. */
  private literal(op: number): PickleValue | typeof NONE | undefined {
    switch (op) {
      case 0x4e:
        return NONE;
      case 0x88:
        return true;
      case 0x89:
        return false;
      case 0x4b:
        return this.uint8();
      case 0x4d:
        return this.number(2, (at) => this.view.getUint16(at, true));
      case 0x4a:
        return this.number(4, (at) => this.view.getInt32(at, true));
      case 0x8a:
        return this.long(this.uint8());
      case 0x8b:
        return this.long(this.uint32());
      case 0x47:
        return this.number(8, (at) => this.view.getFloat64(at, false));
      case 0x8c:
        return this.text(this.uint8());
      case 0x58:
        return this.text(this.uint32());
      case 0x8d:
        return this.text(this.uint64());
      case 0x43:
        return this.take(this.uint8());
      case 0x42:
        return this.take(this.uint32());
      case 0x29:
      case 0x5d:
        return [];
      case 0x7d:
        return new Map();
      default:
        return undefined;
    }
  }

  /** Values made of those before. */
  private composed(op: number): PickleValue | typeof NONE | undefined {
    switch (op) {
      case 0x68:
        return this.recall(this.uint8()) ?? NONE;
      case 0x6a:
        return this.recall(this.uint32()) ?? NONE;
      case 0x85:
      case 0x86:
      case 0x87:
        return this.popMany(op - 0x84);
      case 0x74:
        return this.popToMark();
      case 0x93: {
        const [module, name] = this.popMany(2);
        if (typeof module === 'string' && typeof name === 'string') return new PickleGlobal(module, name);
        throw malformed('pickle names something without a name');
      }
      case 0x52:
      case 0x81: {
        const [callable, args] = this.popMany(2);
        if (callable instanceof PickleGlobal && Array.isArray(args)) return new PickleObject(callable, args);
        throw malformed('pickle calls something without a name');
      }
      default:
        return undefined;
    }
  }

  private effect(op: number): void {
    switch (op) {
      case 0x80:
        if (this.uint8() > MAX_PROTOCOL) throw malformed('pickle protocol is newer than 5');
        break;
      case 0x95: // FRAME: a hint for buffered readers
        this.take(8);
        break;
      case 0x94:
        if (this.memo.length >= MAX_MEMO) throw malformed('pickle remembers too much');
        this.memo.push(this.top());
        break;
      case 0x28:
        this.marks.push(this.stack.length);
        break;
      case 0x73:
        this.set(this.popMany(2));
        break;
      case 0x75:
        this.set(this.popToMark());
        break;
      case 0x61:
        this.append(this.popMany(1));
        break;
      case 0x65:
        this.append(this.popToMark());
        break;
      case 0x62: {
        const state = this.pop();
        const target = this.top();
        if (!(target instanceof PickleObject)) throw malformed('pickle sets the state of something that has none');
        target.state = state;
        break;
      }
      default:
        throw malformed(`pickle opcode 0x${op.toString(16).padStart(2, '0')} is not allowed`);
    }
  }

  private set(pairs: readonly (PickleValue | undefined)[]): void {
    const target = this.top();
    if (!(target instanceof Map) || pairs.length % 2 !== 0)
      throw malformed('pickle sets items of something without items');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i];
      if (typeof key !== 'string') throw malformed('pickle has a mapping with a key that is no text');
      target.set(key, pairs[i + 1] ?? null);
    }
  }

  private append(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!Array.isArray(target)) throw malformed('pickle appends to something that is no list');
    target.push(...items);
  }

  private recall(index: number): PickleValue {
    const value = this.memo[index];
    if (value === undefined) throw malformed('pickle refers to something not yet remembered');
    return value;
  }

  private top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || this.stack.length <= (this.marks.at(-1) ?? 0)) throw malformed('pickle stack is empty');
    return value;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): PickleValue[] {
    if (this.stack.length - count < (this.marks.at(-1) ?? 0)) throw malformed('pickle stack is empty');
    return this.stack.splice(this.stack.length - count, count);
  }

  private popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw malformed('pickle closes something it did not open');
    return this.stack.splice(mark);
  }

  private take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw malformed('pickle ends in the middle');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private text(length: number): string {
    try {
      return utf8.decode(this.take(length));
    } catch (cause) {
      throw malformed('pickle has a text that is no UTF-8', { cause });
    }
  }

  private number(size: number, read: (at: number) => number): number {
    const at = this.at;
    this.take(size);
    return read(at);
  }

  private uint8(): number {
    return this.number(1, (at) => this.view.getUint8(at));
  }

  private uint32(): number {
    return this.number(4, (at) => this.view.getUint32(at, true));
  }

  /** A length: anything beyond the pickle's own size is caught by `take`. */
  private uint64(): number {
    return this.number(8, (at) => Number(this.view.getBigUint64(at, true)));
  }

  /** Little-endian two's complement of any size. */
  private long(length: number): number | bigint {
    if (length > MAX_INTEGER_BYTES) throw malformed('pickle has an integer that is too large');
    let value = 0n;
    for (const byte of this.take(length).toReversed()) value = value * 256n + BigInt(byte);
    value = BigInt.asIntN(length * 8, value);
    const small = Number(value);
    return Number.isSafeInteger(small) ? small : value;
  }
}
