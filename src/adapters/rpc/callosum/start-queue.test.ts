import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { StartQueue } from './start-queue.js';

function bench(received: () => number = () => 0) {
  const begun: string[] = [];
  const queue = new StartQueue(received);
  const add = (peer: string, ...names: string[]): void => {
    for (const name of names) queue.add(peer, () => begun.push(peer + name));
  };
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await turn();
  };
  return { begun, add, turns };
}

it('begins in the order of a peer, the peers taking turns', async () => {
  const { begun, add, turns } = bench();
  add('a', '1', '2', '3');
  add('b', '1');
  expect(begun).toEqual([]);
  await turns(2);
  expect(begun).toEqual(['a1', 'b1', 'a2', 'a3']);
});

it('lets a burst of one peer not hold up another', async () => {
  const { begun, add, turns } = bench();
  add('a', ...Array.from({ length: 1_000 }, (_, i) => String(i)));
  add('b', 'x');
  await turns(1);
  expect(begun.indexOf('bx')).toBe(1);
  expect(begun.length).toBeLessThan(100);
  await turns(150);
  expect(begun).toHaveLength(1_001);
  expect(begun.filter((name) => name.startsWith('a'))).toEqual(Array.from({ length: 1_000 }, (_, i) => `a${i}`));
});

it('waits until nothing more comes in, but not for ever', async () => {
  let received = 1;
  let coming = true;
  const { begun, add, turns } = bench(() => (coming ? (received += 1) : received));
  add('a', '1');
  await turns(5);
  expect(begun).toEqual([]);
  coming = false;
  await turns(3);
  expect(begun).toEqual(['a1']);
  coming = true;
  add('a', '2');
  await turns(50);
  expect(begun).toEqual(['a1', 'a2']);
});
