import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PortPool } from './port-pool.js';

describe('PortPool', () => {
  it('gives out the whole range, inclusive, on a machine that booted just now', () => {
    const pool = new PortPool([30_000, 30_002], 60_000);
    expect([pool.take(0), pool.take(0), pool.take(0)]).toEqual([30_000, 30_001, 30_002]);
    expect([pool.free, pool.used]).toEqual([0, 3]);
  });

  it('lets a port cool down, first released first given', () => {
    const pool = new PortPool([1, 2], 60_000);
    pool.take(0);
    pool.take(0);
    pool.release(2, 1000);
    pool.release(1, 2000);
    expect(() => pool.take(60_999)).toThrow();
    expect(pool.cooling(60_999)).toBe(2);
    expect(pool.take(61_000)).toBe(2);
    expect(() => pool.take(61_999)).toThrow();
    expect(pool.take(62_000)).toBe(1);
  });

  it('gives one that is still cooling down only where it is urgent and there is no other', () => {
    const pool = new PortPool([1, 2], 60_000);
    pool.release(pool.take(0), 0);
    expect(pool.take(1, undefined, true)).toBe(2);
    expect(() => pool.take(1)).toThrow();
    expect(pool.take(1, undefined, true)).toBe(1);
    expect(() => pool.take(1, undefined, true)).toThrow(expect.objectContaining({ name: 'PortPoolExhaustedError' }));
  });

  it('skips ports of others without forgetting them', () => {
    const pool = new PortPool([1, 3], 0);
    expect(pool.take(0, (port) => port < 3)).toBe(3);
    expect(pool.take(0)).toBe(1);
  });

  it('tells what is exhausted and by whom', () => {
    const pool = new PortPool([10, 13], 30_000);
    const port = pool.take(0);
    pool.take(0);
    pool.release(port, 0);
    expect(() => pool.take(1, () => true)).toThrow(
      expect.objectContaining({
        name: 'PortPoolExhaustedError',
        status: 503,
        retryable: true,
        message:
          'no host port left in 10-13: 1 used by kernels, 1 cooling down for up to 30 s, 2 taken by other programs',
      }),
    );
  });

  it('takes over the ports of kernels found at start, cooling or not', () => {
    const pool = new PortPool([1, 2], 60_000);
    expect([pool.claim(1), pool.claim(1), pool.claim(99)]).toEqual([true, false, false]);
    expect(pool.take(0)).toBe(2);
    pool.release(2, 0);
    expect(pool.claim(2)).toBe(true);
    expect([pool.free, pool.used]).toEqual([0, 2]);
  });

  it('ignores ports that it did not give out', () => {
    const pool = new PortPool([1, 2], 0);
    const port = pool.take(0);
    for (const foreign of [port, port, 2, 99, -1]) pool.release(foreign, 0);
    expect([pool.free, pool.used]).toEqual([2, 0]);
  });

  it.each([[[2, 1]], [[0, 5]], [[1, 70_000]], [[1.5, 3]]] as [[number, number]][])('refuses the range %j', (range) => {
    expect(() => new PortPool(range, 0)).toThrow(expect.objectContaining({ field: 'container.port-range' }));
  });

  it('never gives a port twice, never too early, and loses none', () => {
    const step = fc.record({
      what: fc.constantFrom('take', 'take', 'release', 'claim'),
      port: fc.integer({ min: 98, max: 113 }),
      passes: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const pool = new PortPool([100, 110], 100);
        const used = new Set<number>();
        const releasedAt = new Map<number, number>();
        let now = 0;
        for (const { what, port, passes } of steps) {
          now += passes;
          if (what === 'release') {
            pool.release(port, now);
            if (used.delete(port)) releasedAt.set(port, now);
          } else if (what === 'claim') {
            const expected = port >= 100 && port <= 110 && !used.has(port);
            expect(pool.claim(port)).toBe(expected);
            if (expected) used.add(port);
          } else {
            const takeable = 11 - used.size - pool.cooling(now);
            if (takeable === 0) {
              expect(() => pool.take(now)).toThrow(/no host port left/);
              continue;
            }
            const given = pool.take(now);
            expect(used.has(given)).toBe(false);
            expect(now - (releasedAt.get(given) ?? -Infinity)).toBeGreaterThanOrEqual(100);
            used.add(given);
          }
          expect([pool.free, pool.used]).toEqual([11 - used.size, used.size]);
        }
      }),
    );
  });
});
