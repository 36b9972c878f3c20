import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SendQueue } from './send-queue.js';

const frame = (value: number): Uint8Array[] => [Uint8Array.of(value)];

it('sends one message at a time, in order, and goes on after a failure', async () => {
  const sent: number[] = [];
  const errors: unknown[] = [];
  let busy = false;
  const queue = new SendQueue(
    {
      send: async ([first]) => {
        if (busy) throw new Error('EBUSY');
        busy = true;
        await turn();
        busy = false;
        if (first?.[0] === 2) throw new Error('lost');
        sent.push(first?.[0] ?? -1);
      },
    },
    (error) => errors.push(error),
  );
  for (const value of [1, 2, 3]) queue.push(frame(value));
  await queue.flush();
  queue.push(frame(4));
  await queue.flush();
  expect(sent).toEqual([1, 3, 4]);
  expect(errors).toEqual([new Error('lost')]);
});
