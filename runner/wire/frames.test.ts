import { decode } from '@msgpack/msgpack';
import { expect, it } from 'vitest';
import { statusFrame } from './frames.js';

it('tells in MessagePack since when it runs and how its runs ended', () => {
  const runs = new Map([
    ['batch-job', 0],
    ['größer ✓', -15],
    ['x'.repeat(256), null],
  ]);
  const { payload } = statusFrame(12_345.678, runs);
  expect(decode(payload as Buffer)).toEqual({ started_at: 12_345.678, runs: Object.fromEntries(runs) });
});
