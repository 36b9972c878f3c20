const EMPTY = Buffer.alloc(0);

/** Length of the part of `data` that does not end within a UTF-8 character; invalid bytes are let through as they are. */
function completeLength(data: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, data.length); back += 1) {
    const byte = data[data.length - back] ?? 0;
    if (byte < 0x80) return data.length;
    if (byte >= 0xc0) {
      const size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < size ? data.length - back : data.length;
    }
  }
  return data.length;
}

/** Cuts a byte stream into pieces that each end at a character. */
export class Utf8Chunker {
  private held: Buffer = EMPTY;

  push(data: Buffer): Buffer {
    const all = this.held.length > 0 ? Buffer.concat([this.held, data]) : data;
    const length = completeLength(all);
    this.held = length === all.length ? EMPTY : Buffer.from(all.subarray(length));
    return all.subarray(0, length);
  }

  /** What is left of an unfinished character. */
  end(): Buffer {
    const rest = this.held;
    this.held = EMPTY;
    return rest;
  }
}
