import { describe, expect, it } from 'vitest';
import { Semaphore } from './semaphore.js';

const never = new AbortController().signal;

describe('Semaphore', () => {
  it('lets the next in line in when a holder leaves, and counts a holder that leaves twice once', async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.acquire(never);
    const order: string[] = [];
    const second = semaphore.acquire(never).then((hold) => (order.push('second'), hold));
    const third = semaphore.acquire(never).then((hold) => (order.push('third'), hold));
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    await third;
    expect(order).toEqual(['second', 'third']);
  });

  it('forgets a waiter that gave up', async () => {
    const semaphore = new Semaphore(1);
    const first = await semaphore.acquire(never);
    const impatient = new AbortController();
    const gaveUp = semaphore.acquire(impatient.signal);
    const patient = semaphore.acquire(never);
    impatient.abort(new Error('enough'));
    await expect(gaveUp).rejects.toThrow('enough');
    first[Symbol.dispose]();
    await expect(patient).resolves.toBeDefined();
  });
});
