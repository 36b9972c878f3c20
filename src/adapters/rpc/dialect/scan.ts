import { malformed } from '../wire-errors.js';

export interface DocumentLimits {
  readonly maxBytes: number;
  /** Values of any kind, containers included. */
  readonly maxNodes: number;
  /** Containers inside one another. */
  readonly maxDepth: number;
}

export interface DocumentFacts {
  /** True if some integer takes eight bytes, so that a JavaScript number may not hold it. */
  readonly wideIntegers: boolean;
}

const SCALAR = 0;
const BLOB = 1;
const ARRAY = 2;
const MAP = 3;

/** What a lead byte announces: kind, bytes of the value itself, and of the length that precedes them. */
interface Lead {
  readonly kind: number;
  readonly fixed: number;
  readonly lengthBytes: number;
}

function lead(kind: number, fixed: number, lengthBytes = 0): Lead {
  return { kind, fixed, lengthBytes };
}

/** The lead bytes 0xc0 … 0xdf of the MessagePack format; `undefined` is the one that is never used. */
const LEADS: readonly (Lead | undefined)[] = [
  lead(SCALAR, 0), // c0 nil
  undefined, // c1
  lead(SCALAR, 0), // c2 false
  lead(SCALAR, 0), // c3 true
  lead(BLOB, 0, 1), // c4 bin
  lead(BLOB, 0, 2),
  lead(BLOB, 0, 4),
  lead(BLOB, 1, 1), // c7 ext: one more byte for its code
  lead(BLOB, 1, 2),
  lead(BLOB, 1, 4),
  lead(SCALAR, 4), // ca float
  lead(SCALAR, 8),
  lead(SCALAR, 1), // cc unsigned
  lead(SCALAR, 2),
  lead(SCALAR, 4),
  lead(SCALAR, 8),
  lead(SCALAR, 1), // d0 signed
  lead(SCALAR, 2),
  lead(SCALAR, 4),
  lead(SCALAR, 8),
  lead(SCALAR, 2), // d4 fixext
  lead(SCALAR, 3),
  lead(SCALAR, 5),
  lead(SCALAR, 9),
  lead(SCALAR, 17),
  lead(BLOB, 0, 1), // d9 str
  lead(BLOB, 0, 2),
  lead(BLOB, 0, 4),
  lead(ARRAY, 0, 2), // dc
  lead(ARRAY, 0, 4),
  lead(MAP, 0, 2), // de
  lead(MAP, 0, 4),
];

const UINT64 = 0xcf;
const INT64 = 0xd3;

/**
 * Walks a MessagePack document without making anything of it, so that the decoder afterwards can neither run out of
 * stack or memory nor find a length that isn't there. Takes constant memory and one step a value.
 *
 * @throws ValueError for anything that is not exactly one document within `limits`.
 */
export function scanDocument(bytes: Uint8Array, limits: DocumentLimits): DocumentFacts {
  if (bytes.length > limits.maxBytes) {
    throw malformed(`message of ${bytes.length} bytes is larger than the ${limits.maxBytes} allowed`);
  }
  const open: number[] = [];
  let left = 1;
  let nodes = 0;
  let wideIntegers = false;
  let at = 0;
  for (;;) {
    while (left === 0) {
      const outer = open.pop();
      if (outer === undefined) {
        if (at !== bytes.length) throw malformed(`${bytes.length - at} bytes after the end of the document`);
        return { wideIntegers };
      }
      left = outer;
    }
    left -= 1;
    nodes += 1;
    if (nodes > limits.maxNodes) throw malformed(`more than ${limits.maxNodes} values in one document`);
    const byte = bytes[at];
    if (byte === undefined) throw malformed('the document ends in the middle');
    at += 1;
    if (byte === UINT64 || byte === INT64) wideIntegers = true;

    const { children, next } = step(bytes, byte, at);
    if (next > bytes.length) throw malformed('the document ends in the middle');
    at = next;
    if (children === 0) continue;
    // Every value takes a byte at least: a count beyond the rest of the bytes is a lie told to make us allocate.
    if (children > bytes.length - at) throw malformed('the document announces more values than it has bytes');
    if (open.length >= limits.maxDepth) throw malformed(`more than ${limits.maxDepth} levels of nesting`);
    open.push(left);
    left = children;
  }
}

interface Step {
  readonly children: number;
  readonly next: number;
}

function step(bytes: Uint8Array, byte: number, at: number): Step {
  if (byte < 0x80 || byte >= 0xe0) return { children: 0, next: at };
  if (byte < 0x90) return { children: (byte & 0x0f) * 2, next: at };
  if (byte < 0xa0) return { children: byte & 0x0f, next: at };
  if (byte < 0xc0) return { children: 0, next: at + (byte & 0x1f) };
  const found = LEADS[byte - 0xc0];
  if (found === undefined) throw malformed('byte 0xc1 is never used in MessagePack');
  let length = 0;
  for (let i = 0; i < found.lengthBytes; i += 1) {
    const digit = bytes[at + i];
    if (digit === undefined) throw malformed('the document ends in the middle');
    length = length * 256 + digit;
  }
  const next = at + found.lengthBytes + found.fixed;
  if (found.kind === BLOB) return { children: 0, next: next + length };
  if (found.kind === ARRAY) return { children: length, next };
  if (found.kind === MAP) return { children: length * 2, next };
  return { children: 0, next };
}
