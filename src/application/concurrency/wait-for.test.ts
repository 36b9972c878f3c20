import { describe, expect, it } from 'vitest';
import { waitFor } from './wait-for.js';

describe('waitFor', () => {
  const never = new AbortController().signal;

  it('gives what the work gives', async () => {
    await expect(waitFor(Promise.resolve(1), never)).resolves.toBe(1);
    await expect(waitFor(Promise.reject(new Error('no')), never)).rejects.toThrow('no');
  });

  it('stops waiting when it is told to, before and during the work, and lets the work go on', async () => {
    const stop = new AbortController();
    let finish: (value: number) => void = () => undefined;
    const work = new Promise<number>((resolve) => (finish = resolve));
    const waiting = waitFor(work, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(waitFor(work, stop.signal)).rejects.toThrow('enough');
    finish(2);
    await expect(work).resolves.toBe(2);
  });

  it('takes a failure that nobody waits for any more', async () => {
    const waiting = waitFor(Promise.reject(new Error('late')), AbortSignal.abort(new Error('gone')));
    await expect(waiting).rejects.toThrow('gone');
  });
});
