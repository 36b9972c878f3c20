import type { Semaphore } from './semaphore.js';

/** Does `work` when there is a place for it. Aborting ends the wait for the place; rejects with the signal's reason. */
export async function inTurn<T>(turns: Semaphore, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const turn = await turns.acquire(signal);
  try {
    return await work();
  } finally {
    turn[Symbol.dispose]();
  }
}
