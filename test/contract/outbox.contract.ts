import { describe, expect, it } from 'vitest';
import type { Outbox } from '../../src/application/ports/outbox.port.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { creating, kernelNumber, lifeOf, preparing, putAll, terminated } from '../support/event-sender.js';

export interface OutboxHarness {
  readonly outbox: Outbox;
  /** The process dies and another one opens the same outbox. */
  reopen(): Promise<Outbox>;
  close(): Promise<void>;
}

/** What Outbox promises. */
export function outboxContract(title: string, open: () => Promise<OutboxHarness>): void {
  const withOutbox = (run: (harness: OutboxHarness) => Promise<void>) => async () => {
    const harness = await open();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };
  const eventsOf = (outbox: Outbox) => outbox.waiting().map(({ event }) => event);

  describe(`Outbox: ${title}`, () => {
    it(
      'keeps what was stored, in order, over the death of the process',
      withOutbox(async ({ outbox, reopen }) => {
        const events = [1, 2, 3].flatMap(lifeOf);
        await putAll(outbox, events);
        expect(eventsOf(outbox)).toEqual(events);
        const later = await reopen();
        expect(eventsOf(later)).toEqual(events);
        expect(later.waiting().map(({ id }) => id)).toEqual(outbox.waiting().map(({ id }) => id));
      }),
    );

    it(
      'tells how much waits and since when',
      withOutbox(async ({ outbox, reopen }) => {
        expect(outbox.backlog()).toEqual({ entries: 0, oldestAtMs: undefined });
        const [first, second] = await putAll(outbox, [preparing(1), preparing(2)]);
        expect(outbox.backlog()).toEqual({ entries: 2, oldestAtMs: first?.entry.atMs });
        await outbox.remove([first!.entry.id]);
        const expected = { entries: 1, oldestAtMs: second?.entry.atMs };
        expect([outbox.backlog(), (await reopen()).backlog()]).toEqual([expected, expected]);
      }),
    );

    it(
      'gives every entry an id of its own, also after a restart',
      withOutbox(async ({ outbox, reopen }) => {
        const first = await putAll(outbox, [preparing(1), preparing(2)]);
        const later = await reopen();
        const put = later.put(preparing(3));
        expect(new Set([...first, put].map((one) => one?.entry.id)).size).toBe(3);
      }),
    );

    it(
      'stores in the order of the calls',
      withOutbox(async ({ outbox }) => {
        const stored: number[] = [];
        for (const n of [1, 2, 3])
          void outbox.put(n % 2 ? preparing(n) : terminated(n))?.stored.then(() => stored.push(n));
        await putAll(outbox, [terminated(4)]);
        stored.push(4);
        expect(stored).toEqual([1, 2, 3, 4]);
      }),
    );

    it(
      'does not bring back what was delivered',
      withOutbox(async ({ outbox, reopen }) => {
        const puts = await putAll(outbox, lifeOf(1));
        await outbox.remove([puts[0]!.entry.id, puts[2]!.entry.id, 'never heard of']);
        expect(eventsOf(outbox)).toEqual([creating(1)]);
        expect(eventsOf(await reopen())).toEqual([creating(1)]);
      }),
    );

    it(
      'takes the end of a kernel once and nothing after it, also after a restart and after it was delivered',
      withOutbox(async ({ outbox, reopen }) => {
        const put = outbox.put(terminated(1));
        await put?.stored;
        await outbox.remove([put!.entry.id]);
        for (const box of [outbox, await reopen()]) {
          expect(box.put(terminated(1, 'failed-to-start'))).toBeUndefined();
          expect(box.put(creating(1))).toBeUndefined();
          expect(box.waiting()).toEqual([]);
        }
      }),
    );

    it(
      'takes the notice of a log once while it waits, and again when it was delivered',
      withOutbox(async ({ outbox, reopen }) => {
        const body = { kernel_id: kernelNumber(1), container_id: 'c1' };
        const stored: AgentEvent = { name: 'do_sync_kernel_logs', body };
        await putAll(outbox, [stored]);
        const later = await reopen();
        expect(later.put(stored)).toBeUndefined();
        expect(later.put({ ...stored, body: { ...body, container_id: 'c2' } })).toBeDefined();
        await later.remove([later.waiting()[0]!.id]);
        expect(later.put(stored)).toBeDefined();
      }),
    );

    it(
      'begins anew with a kernel that is made again, also after a restart',
      withOutbox(async ({ outbox, reopen }) => {
        await putAll(outbox, [terminated(1), preparing(1)]);
        const later = await reopen();
        expect(later.put(creating(1))?.entry.event).toEqual(creating(1));
        expect(later.put(terminated(1))).toBeDefined();
        expect(eventsOf(later).map((event) => event.name)).toEqual([
          'kernel_terminated',
          'kernel_preparing',
          'kernel_creating',
          'kernel_terminated',
        ]);
        expect(kernelNumber(1)).toBe((later.waiting()[0]!.event.body as { kernel_id: string }).kernel_id);
      }),
    );
  });
}
