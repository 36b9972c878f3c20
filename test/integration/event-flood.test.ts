import { Redis } from 'ioredis';
import { expect, it, vi } from 'vitest';
import { AGENT_ID, kernelNumber, lifeOf, openSender, terminated } from '../support/event-sender.js';
import { ManagerReader } from '../support/manager-reader.js';
import { startRedisHost } from '../support/redis-host.js';

const KERNELS = 2_000;
/** Of so many kernels one tells more than its end. */
const WHOLE_LIVES = 10;
/** What an idle Manager writes itself (state.md §2.1). */
const TICK_MS = 1_000 / 12;
const PATIENCE_MS = 90_000;

interface Body {
  readonly kernel_id: string;
}

/** The stream holds some 128 entries; the reader takes 64 of them every 200 ms. */
it('2,000 terminations in one second reach a slow Manager, each once and in order', async () => {
  await using server = await startRedisHost();
  await using manager = new ManagerReader(server, { batch: 64, pauseMs: 200 });
  await using sender = await openSender(server);
  const others = new Redis(server.port, '127.0.0.1', { db: 4, replyMapping: 'legacy' });
  const ticking = setInterval(() => {
    void others.xadd('events', 'MAXLEN', '~', 128, '*', 'name', 'tick', 'source', 'manager', 'payload', '{}');
  }, TICK_MS);
  try {
    const began = performance.now();
    const announced: Promise<void>[] = [];
    for (let n = 0; n < KERNELS; n++) {
      const life = n % WHOLE_LIVES === 0 ? lifeOf(n) : [terminated(n)];
      announced.push(...life.map((event) => sender.bus.announce(event)));
    }
    expect(performance.now() - began).toBeLessThan(1_000);
    await Promise.all(announced);
    await vi.waitFor(() => expect(manager.payloads('kernel_terminated').length).toBe(KERNELS), {
      ...{ timeout: PATIENCE_MS, interval: 100 },
    });
    await vi.waitFor(() => expect(sender.outbox.waiting()).toEqual([]), 10_000);
    const ended = manager.payloads<Body>('kernel_terminated').map(({ kernel_id }) => kernel_id);
    expect(new Set(ended).size).toBe(KERNELS);
    const ours = manager.read.filter(({ fields }) => fields['source'] === AGENT_ID);
    expect(ours).toHaveLength(KERNELS + (2 * KERNELS) / WHOLE_LIVES);
    for (let n = 0; n < KERNELS; n += WHOLE_LIVES) {
      const mine = ours.filter(({ fields }) => fields['payload']?.includes(kernelNumber(n)));
      expect(mine.map(({ fields }) => fields['name'])).toEqual(lifeOf(n).map(({ name }) => name));
    }
    expect(manager.payloads('tick').length).toBeGreaterThan(50);
  } finally {
    clearInterval(ticking);
    others.disconnect();
  }
});
