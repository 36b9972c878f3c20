import { describe, expect, it } from 'vitest';
import { readClientMessage } from './client-message.js';

const read = (text: string) => readClientMessage(Buffer.from(text));

describe('readClientMessage', () => {
  it('reads what real clients send', () => {
    expect(read('{"AuthToken":"","columns":132,"rows":43}')).toEqual({
      type: 'hello',
      size: { cols: 132, rows: 43 },
      session: undefined,
    });
    expect(read('0ls ✓\r')).toEqual({ type: 'input', data: Buffer.from('ls ✓\r') });
    expect(read('1{"columns":100,"rows":30}')).toEqual({ type: 'resize', size: { cols: 100, rows: 30 } });
    expect(read('2')).toEqual({ type: 'pause' });
    expect(read('3')).toEqual({ type: 'resume' });
  });

  it('reads the session of our page', () => {
    expect(read('{"AuthToken":"","columns":80,"rows":24,"session":"0123456789abcdef"}')).toMatchObject({
      session: '0123456789abcdef',
    });
    for (const session of ['short', 'x'.repeat(65), 'with space', '__proto__\n'])
      expect(read(JSON.stringify({ session }))).toMatchObject({ session: undefined });
  });

  it('passes any byte of the input on', () => {
    const bytes = Buffer.from([0x30, 0, 255, 0xe2, 0x9c]);
    expect(readClientMessage(bytes)).toEqual({ type: 'input', data: bytes.subarray(1) });
  });

  it.each([
    [
      { columns: -1, rows: 0 },
      { cols: 80, rows: 24 },
    ],
    [
      { columns: 1, rows: 1 },
      { cols: 80, rows: 24 },
    ],
    [
      { columns: 1e9, rows: 70_000 },
      { cols: 1000, rows: 1000 },
    ],
    [
      { columns: 10.5, rows: '24' },
      { cols: 80, rows: 24 },
    ],
    [{}, { cols: 80, rows: 24 }],
  ])('makes sizes sane: %j', (given, size) => {
    expect(read(`1${JSON.stringify(given)}`)).toEqual({ type: 'resize', size });
    expect(read(JSON.stringify(given))).toMatchObject({ type: 'hello', size });
  });

  it.each(['', '4', 'x', '{', '{"columns":', '1', '1null', '1[', '{]'])('ignores %j', (text) => {
    expect(read(text)).toBeUndefined();
  });
});
