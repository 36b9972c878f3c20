import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Utf8Chunker } from './utf8-chunker.js';

describe('Utf8Chunker', () => {
  it('cuts any text anywhere into valid pieces and loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.array(fc.nat(200)), (text, cuts) => {
        const bytes = Buffer.from(text);
        const chunker = new Utf8Chunker();
        const points = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const pieces = points.map((end, index) => chunker.push(bytes.subarray(points[index - 1] ?? 0, end)));
        const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
        expect(pieces.map((piece) => strict.decode(piece)).join('')).toBe(bytes.toString());
        expect(chunker.end()).toHaveLength(0);
      }),
    );
  });

  it('lets any bytes through unchanged', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 8 })), (chunks) => {
        const chunker = new Utf8Chunker();
        const out = [...chunks.map((chunk) => chunker.push(Buffer.from(chunk))), chunker.end()];
        expect(Buffer.concat(out)).toEqual(Buffer.concat(chunks));
      }),
    );
  });
});
