import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';
import { ManualClock } from '../support/manual-clock.js';
import { describeClock } from './clock.contract.js';

describeClock('system', () => ({ clock: new SystemClock(), pass: (ms) => sleep(ms) }));

describeClock('manual', () => {
  const clock = new ManualClock();
  return { clock, pass: (ms) => clock.advance(ms) };
});

describe('SystemClock', () => {
  it('tells the time of day', () => {
    expect(Math.abs(new SystemClock().now() - new Date().getTime())).toBeLessThan(1000);
  });

  it('takes a time too long for a timer as very long, not as none', async () => {
    using deadline = new SystemClock().deadline(2 ** 40);
    await sleep(5);
    expect(deadline.signal.aborted).toBe(false);
  });
});
