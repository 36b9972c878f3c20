import { describe, expect, it } from 'vitest';
import { judge } from './zap.js';
import { decodeZ85 } from './z85.js';

const KEY = decodeZ85('GqK]ZYY#h*9jAQbGxSwkeZX3Y*%b+DiY$7ju6sh{')!;
const OTHER = decodeZ85('LGDK77EQmWkp0$kaOINM.xD7LG%4N!vj8@J-ED2j')!;

/** A request as rpc.md §2.4 shows it, with some frames replaced. */
function request(changes: Readonly<Record<number, string | Uint8Array>> = {}): Buffer[] {
  const frames: (string | Uint8Array)[] = ['1.0', '7', 'local', '10.0.0.9', '', 'CURVE', KEY];
  return frames.map((frame, index) => Buffer.from((changes[index] ?? frame) as Uint8Array));
}

describe('judge', () => {
  it('lets the Manager in', () => {
    expect(judge(request(), KEY)).toMatchObject({
      allowed: true,
      address: '10.0.0.9',
      reply: ['1.0', Buffer.from('7'), '200', 'OK', 'manager', ''],
    });
  });

  it.each([
    ['another key', request({ 6: OTHER })],
    ['a shorter key', request({ 6: KEY.subarray(0, 31) })],
    ['no key', request().slice(0, 6)],
    ['two keys', [...request(), Buffer.from(KEY)]],
    ['another mechanism', request({ 5: 'NULL' })],
    ['another domain', request({ 2: 'global' })],
    ['another version', request({ 0: '2.0' })],
    ['too few frames', request().slice(0, 3)],
    ['nothing', []],
  ])('refuses %s', (_, frames) => {
    const { allowed, reply } = judge(frames, KEY);
    expect(allowed).toBe(false);
    expect(reply.slice(2)).toEqual(['400', 'Access denied', '', '']);
  });
});

describe('decodeZ85', () => {
  it('reads the example of its RFC', () => {
    expect(Buffer.from(decodeZ85('HelloWorld')!).toString('hex')).toBe('864fd26fb559f75b');
  });

  it.each(['Hello Worl', 'Hell', '#####'])('refuses %s', (text) => {
    expect(decodeZ85(text)).toBeUndefined();
  });
});
