import { describe, expect, it } from 'vitest';
import { WorkQueue } from './work-queue.js';

describe('WorkQueue', () => {
  it('runs in order, one at a time, and refuses more than its limit', async () => {
    const log: string[] = [];
    const queue = new WorkQueue<string>(async (item) => {
      log.push(`+${item}`);
      await new Promise((resolve) => setImmediate(resolve));
      log.push(`-${item}`);
    }, 2);
    expect([queue.add('a'), queue.add('b'), queue.add('c'), queue.add('d')]).toEqual([true, true, true, false]);
    await queue.idle();
    expect(log).toEqual(['+a', '-a', '+b', '-b', '+c', '-c']);
    queue.add('e');
    await queue.idle();
    expect(log.at(-1)).toBe('-e');
  });

  it('gives back what has not begun', () => {
    const queue = new WorkQueue<number>(() => Promise.resolve(), 10);
    queue.add(1);
    queue.add(2);
    queue.add(3);
    expect(queue.clear()).toEqual([2, 3]);
  });
});
