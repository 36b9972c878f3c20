/** Keys of this many bytes at most are remembered, in so many places. */
const MAX_BYTES = 48;
const PLACES = 1_024;

interface Known {
  readonly bytes: Buffer;
  readonly text: string;
}

/**
 * The texts of keys that were seen before. A Manager sends the same few hundred names again and again; finding one costs
 * a third of making it anew, and an object takes a text that it knows much quicker. Bounded: a place keeps its last key.
 */
export class KnownKeys {
  private readonly places: (Known | undefined)[] = new Array<Known | undefined>(PLACES).fill(undefined);

  /** The text of `bytes` from `start` to `end`, which must be within them. */
  read(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length === 0 || length > MAX_BYTES) return bytes.toString('utf8', start, end);
    const place = placeOf(bytes, start, end);
    const known = this.places[place];
    if (known?.bytes.length === length && isAt(bytes, start, known.bytes)) return known.text;
    const fresh = { bytes: Buffer.from(bytes.subarray(start, end)), text: bytes.toString('utf8', start, end) };
    this.places[place] = fresh;
    return fresh.text;
  }
}

function placeOf(bytes: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
  return (hash ^ (hash >>> 15)) & (PLACES - 1);
}

function isAt(bytes: Buffer, start: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}
