import { expect, it } from 'vitest';
import { collectLog } from './log-text.js';

async function* chunks(...texts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    await Promise.resolve();
    yield Buffer.from(text as string);
  }
}

it('joins a log, also a character that is split between two chunks', async () => {
  const check = Buffer.from('✓');
  expect(await collectLog(chunks('a', check.subarray(0, 1), check.subarray(1), 'b'))).toBe('a✓b');
  expect(await collectLog(chunks())).toBe('');
});

it('keeps the end of a long one', async () => {
  expect(await collectLog(chunks('0123', '4567', '89'), 5)).toBe('56789');
  expect(await collectLog(chunks('0123456789'), 5)).toBe('56789');
  expect(await collectLog(chunks('01234', '56789'), 5)).toBe('56789');
});

it('survives bytes that are no text', async () => {
  expect(await collectLog(chunks(Uint8Array.of(0x61, 0xff, 0x62)))).toBe('a\ufffdb');
});
