import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { demultiplex, linesOf, OutputCapture, readBody, type OutputStream } from './engine-streams.js';

/** The bytes in pieces that end where the cuts say. */
async function* inPieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    if (cut > start) yield bytes.subarray(start, cut);
    start = Math.max(start, cut);
  }
  await Promise.resolve();
}

const frame = (stream: OutputStream, data: Buffer): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
};

const cuts = fc.array(fc.nat(), { maxLength: 20 });

describe('demultiplex', () => {
  it('gives each stream back, however the bytes arrive', async () => {
    const frames = fc.array(
      fc.record({ stream: fc.constantFrom<OutputStream>('stdout', 'stderr'), data: fc.uint8Array({ maxLength: 40 }) }),
    );
    await fc.assert(
      fc.asyncProperty(frames, cuts, async (all, pieces) => {
        const bytes = Buffer.concat(all.map(({ stream, data }) => frame(stream, Buffer.from(data))));
        const out = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
        for await (const chunk of demultiplex(inPieces(bytes, pieces))) {
          out[chunk.stream] = Buffer.concat([out[chunk.stream], chunk.data]);
        }
        for (const stream of ['stdout', 'stderr'] as const) {
          const expected = all.filter((each) => each.stream === stream).map(({ data }) => Buffer.from(data));
          expect(out[stream].equals(Buffer.concat(expected))).toBe(true);
        }
      }),
    );
  });

  const drain = async (bytes: Buffer): Promise<void> => {
    for await (const chunk of demultiplex(inPieces(bytes, []))) expect(chunk).toBeDefined();
  };

  it('fails when cut in a frame or when it is no such stream', async () => {
    const whole = frame('stdout', Buffer.from('hello'));
    await expect(drain(whole.subarray(0, 10))).rejects.toThrow('cut in the middle');
    await expect(drain(whole.subarray(0, 3))).rejects.toThrow('cut in the middle');
    await expect(drain(Buffer.from('plain text of a terminal'))).rejects.toThrow('cannot be taken apart');
  });
});

describe('linesOf', () => {
  it('gives the same lines, however the bytes arrive', async () => {
    const text = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }).map((line) => line.replace(/\s/g, 'x')));
    await fc.assert(
      fc.asyncProperty(text, cuts, async (lines, pieces) => {
        const found: string[] = [];
        for await (const line of linesOf(inPieces(Buffer.from(lines.join('\r\n')), pieces))) found.push(line);
        expect(found).toEqual(lines.filter((line) => line.trim() !== '').map((line) => line.trim()));
      }),
    );
  });

  it('does not collect a line without an end', async () => {
    const endless = inPieces(Buffer.alloc(5 * 1024 * 1024, 'x'), []);
    await expect(endless.next().then(() => linesOf(inPieces(Buffer.alloc(5_000_000, 'x'), [])).next())).rejects.toThrow(
      'without an end',
    );
  });
});

it('readBody refuses more than its limit', async () => {
  expect((await readBody(inPieces(Buffer.from('12345'), [2]), 5)).toString()).toBe('12345');
  await expect(readBody(inPieces(Buffer.from('12345'), [2]), 4)).rejects.toMatchObject({
    name: 'ContainerEngineError',
  });
});

it('OutputCapture keeps the first bytes of each stream', () => {
  const capture = new OutputCapture(4);
  for (const data of ['ab', 'cd', 'ef']) capture.add({ stream: 'stdout', data: Buffer.from(data) });
  capture.add({ stream: 'stderr', data: Buffer.from('123456') });
  expect([capture.text('stdout'), capture.text('stderr')]).toEqual(['abcd', '1234']);
});
