import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransferTotals } from './transfer-totals.js';

const say = (layer: string, status: string, currentBytes = 0, totalBytes = 0) => ({
  ...{ layer, status, currentBytes, totalBytes },
});

describe('TransferTotals', () => {
  it('adds up layers from the first byte to the last, and does not count unpacking again', () => {
    const totals = new TransferTotals();
    expect(totals.add(say('1', 'Pulling from stable/python'))).toEqual({ current: 0, total: 0 });
    expect(totals.add(say('a', 'Downloading', 10, 100))).toEqual({ current: 10, total: 100 });
    expect(totals.add(say('b', 'Downloading', 50, 50))).toEqual({ current: 60, total: 150 });
    expect(totals.add(say('a', 'Download complete'))).toEqual({ current: 150, total: 150 });
    expect(totals.add(say('a', 'Extracting', 1, 100))).toEqual({ current: 150, total: 150 });
    expect(totals.add(say('a', 'Pull complete'))).toEqual({ current: 150, total: 150 });
    expect(totals.add(say('a', 'Downloading', 3, 100))).toEqual({ current: 150, total: 150 });
  });

  it('never goes back and never beyond the total', () => {
    const item = fc.record({
      layer: fc.constantFrom('a', 'b', 'c'),
      status: fc.constantFrom('Downloading', 'Extracting', 'Pull complete', 'Pushing', 'Waiting'),
      currentBytes: fc.nat(1000),
      totalBytes: fc.nat(1000),
    });
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const totals = new TransferTotals();
        let before = totals.sum;
        for (const each of items) {
          const now = totals.add(each);
          expect(now.current).toBeGreaterThanOrEqual(before.current);
          expect(now.total).toBeGreaterThanOrEqual(before.total);
          expect(now.current).toBeLessThanOrEqual(now.total);
          before = now;
        }
      }),
    );
  });
});
