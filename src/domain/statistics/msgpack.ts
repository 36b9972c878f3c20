/** What documents of statistics consist of. A Map can have whole numbers for keys: process ids (stats.md §3.2). */
export type Packable = string | null | PackableMap | { readonly [key: string]: Packable };
type PackableMap = ReadonlyMap<number, Packable>;

const text = new TextEncoder();
const INITIAL_BYTES = 1024;
/** No character needs more bytes than this a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * MessagePack of maps, texts and nil. The library that the RPC server uses turns numeric keys into texts, which the
 * readers of these documents do not look for.
 */
export function packDocument(value: Packable): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.bytes();
}

class Writer {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  value(value: Packable): void {
    if (value === null) this.#byte(0xc0);
    else if (typeof value === 'string') this.#text(value);
    else if (isMap(value)) this.#map(value, value.size);
    else this.#record(value);
  }

  #record(record: Readonly<Record<string, Packable>>): void {
    const entries = Object.entries(record);
    this.#map(entries, entries.length);
  }

  #map(entries: Iterable<readonly [string | number, Packable]>, size: number): void {
    if (size < 16) this.#byte(0x80 | size);
    else if (size < 0x1_0000) this.#number(0xde, size, 2);
    else this.#number(0xdf, size, 4);
    for (const [key, value] of entries) {
      if (typeof key === 'number') this.#unsigned(key);
      else this.#text(key);
      this.value(value);
    }
  }

  #text(value: string): void {
    // The head is as long as the longest possible text needs, and the text is moved up if it turns out shorter.
    this.#reserve(5 + value.length * MAX_BYTES_PER_UNIT);
    const start = this.#length;
    const { written } = text.encodeInto(value, this.#buffer.subarray(start + 5));
    if (written < 32) this.#byte(0xa0 | written);
    else if (written < 0x100) this.#number(0xd9, written, 1);
    else if (written < 0x1_0000) this.#number(0xda, written, 2);
    else this.#number(0xdb, written, 4);
    this.#buffer.copyWithin(this.#length, start + 5, start + 5 + written);
    this.#length += written;
  }

  #unsigned(value: number): void {
    if (value < 0x80) this.#byte(value);
    else if (value < 0x100) this.#number(0xcc, value, 1);
    else if (value < 0x1_0000) this.#number(0xcd, value, 2);
    else this.#number(0xce, value, 4);
  }

  #number(head: number, value: number, bytes: 1 | 2 | 4): void {
    this.#reserve(1 + bytes);
    this.#buffer[this.#length] = head;
    if (bytes === 1) this.#view.setUint8(this.#length + 1, value);
    else if (bytes === 2) this.#view.setUint16(this.#length + 1, value);
    else this.#view.setUint32(this.#length + 1, value);
    this.#length += 1 + bytes;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + bytes));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

function isMap(value: Exclude<Packable, string | null>): value is PackableMap {
  return value instanceof Map;
}
