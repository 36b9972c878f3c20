import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/application/ports/clock.port.js';

export interface ClockUnderTest {
  readonly clock: Clock;
  /** Lets this much of the clock's time pass. */
  readonly pass: (ms: number) => Promise<void>;
}

export function describeClock(name: string, make: () => ClockUnderTest): void {
  describe(`Clock: ${name}`, () => {
    it('moves both its times forward', async () => {
      const { clock, pass } = make();
      const [wall, steady] = [clock.now(), clock.monotonic()];
      await pass(30);
      expect(clock.now() - wall).toBeGreaterThanOrEqual(29);
      expect(clock.monotonic() - steady).toBeGreaterThanOrEqual(29);
    });

    it('wakes sleepers in the order of their times, none too early', async () => {
      const { clock, pass } = make();
      const woken: string[] = [];
      const started = clock.monotonic();
      const sleepers = [
        clock.sleep(60).then(() => woken.push('late')),
        clock.sleep(20).then(() => woken.push('early')),
        clock.sleep(0).then(() => woken.push('at once')),
      ];
      await pass(80);
      await Promise.all(sleepers);
      expect(woken).toEqual(['at once', 'early', 'late']);
      expect(clock.monotonic() - started).toBeGreaterThanOrEqual(59);
    });

    it('ends a sleep with an AbortError when the signal fires, or has fired', async () => {
      const { clock } = make();
      const controller = new AbortController();
      const sleeping = clock.sleep(60_000, controller.signal);
      controller.abort();
      await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
      await expect(clock.sleep(1, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
    });

    it('fires a deadline with a TimeoutError, and says that it was the time', async () => {
      const { clock, pass } = make();
      using deadline = clock.deadline(20);
      expect([deadline.signal.aborted, deadline.expired]).toEqual([false, false]);
      await pass(40);
      expect([deadline.signal.aborted, deadline.expired]).toEqual([true, true]);
      expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
    });

    it('fires a deadline with its parent, and says that it was not the time', async () => {
      const { clock, pass } = make();
      const parent = new AbortController();
      using deadline = clock.deadline(20, parent.signal);
      const reason = new Error('called off');
      parent.abort(reason);
      expect([deadline.signal.aborted, deadline.signal.reason, deadline.expired]).toEqual([true, reason, false]);
      await pass(40);
      expect(deadline.expired).toBe(false);
      using late = clock.deadline(20, parent.signal);
      expect(late.signal.aborted).toBe(true);
    });

    it('says so as well to who asks for the signal only then', async () => {
      const { clock, pass } = make();
      const parent = new AbortController();
      using late = clock.deadline(20, parent.signal);
      await pass(40);
      parent.abort(new Error('called off'));
      expect([late.expired, late.signal.aborted]).toEqual([true, true]);
      expect(late.signal.reason).toMatchObject({ name: 'TimeoutError' });
      using ended = clock.deadline(20, parent.signal);
      await pass(40);
      expect([ended.expired, ended.signal.reason]).toEqual([false, parent.signal.reason]);
    });

    it('never fires a deadline that was disposed of', async () => {
      const { clock, pass } = make();
      const parent = new AbortController();
      const deadline = clock.deadline(20, parent.signal);
      deadline[Symbol.dispose]();
      await pass(40);
      parent.abort();
      expect([deadline.signal.aborted, deadline.expired]).toEqual([false, false]);
    });
  });
}
