import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { creating, lifeOf, preparing, terminated } from '../../../test/support/event-sender.js';
import { type AgentEvent, kernelOf } from '../../domain/event/agent-event.js';
import { parseSessionId } from '../../domain/kernel/kernel-id.js';
import { StreamLane, type StreamItem } from './stream-lane.js';

const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');
const passing: AgentEvent = { name: 'execution_started', body: { session_id: SESSION } };
const kept = (event: AgentEvent, outboxId: string): StreamItem => ({ event, atMs: 0, outboxId });

/** A lane whose items are in the stream under the ids 1-0, 2-0, … */
function inStream(...events: readonly AgentEvent[]): StreamLane {
  const lane = new StreamLane();
  events.forEach((event, at) => lane.push(event === passing ? { event, atMs: 0 } : kept(event, String(at + 1))));
  lane.sent(
    lane.next(events.length, 0),
    events.map((_, at) => `${at + 1}-0`),
  );
  return lane;
}

const idsOf = (items: readonly StreamItem[]) => items.map(({ outboxId }) => outboxId);

describe('StreamLane', () => {
  it('takes for delivered what is there and was passed by the readers', () => {
    const lane = inStream(preparing(1), preparing(2), preparing(3));
    const { delivered, lost, overtaking } = lane.settle({ lastDelivered: '2-0', first: '1-0', lag: 1 });
    expect(idsOf(delivered)).toEqual(['1', '2']);
    expect([lost, overtaking]).toEqual([[], []]);
    expect(lane.inStream).toBe(1);
  });

  it('sends again what was cut off, and after it all that is in the stream behind it', () => {
    const lane = inStream(preparing(1), preparing(2), creating(1));
    const { delivered, lost, overtaking } = lane.settle({ lastDelivered: '0-0', first: '2-0', lag: 2 });
    expect(delivered).toEqual([]);
    expect(idsOf(lost.map(({ item }) => item))).toEqual(['1']);
    expect(idsOf(overtaking.map(({ item }) => item))).toEqual(['2', '3']);
    lane.push(kept(terminated(1), '4'));
    lane.takeBack(new Set([...lost, ...overtaking].map(({ item }) => item)));
    expect(idsOf(lane.next(10, 0))).toEqual(['1', '2', '3', '4']);
    expect(lane.next(10, 0).map(({ isRepeated }) => isRepeated === true)).toEqual([true, true, true, false]);
  });

  it('takes everything back when there is no group: one that is made begins behind it', () => {
    const lane = inStream(preparing(1), preparing(2));
    const { delivered, lost, overtaking } = lane.settle({ lastDelivered: undefined, first: '2-0', lag: 0 });
    expect(delivered).toEqual([]);
    expect(idsOf([...lost, ...overtaking].map(({ item }) => item))).toEqual(['1', '2']);
  });

  it('doubts what is gone and passed, unless a later event of its kernel makes up for it', () => {
    const lane = inStream(preparing(1), preparing(2), creating(1), creating(3), terminated(3));
    const { delivered, lost } = lane.settle({ lastDelivered: '5-0', first: undefined, lag: 0 });
    expect(idsOf(delivered)).toEqual(['1', '4']);
    expect(idsOf(lost.map(({ item }) => item))).toEqual(['2', '3', '5']);
  });

  it('sends again what a server forgot, though its readers are past it', () => {
    const lane = inStream(preparing(1), preparing(2), preparing(3));
    const { delivered, lost } = lane.settle({ lastDelivered: '9-0', first: '0-1', lag: 0 }, new Set(['2-0']));
    expect(idsOf(delivered)).toEqual(['1', '3']);
    expect(idsOf(lost.map(({ item }) => item))).toEqual(['2']);
  });

  it('does not miss what passes', () => {
    const lane = inStream(passing, preparing(1));
    expect(lane.settle({ lastDelivered: '0-0', first: '2-0', lag: 1 })).toMatchObject({ lost: [], overtaking: [] });
    expect(lane.inStream).toBe(1);
  });

  it('keeps few of what passes, and not for long', () => {
    const lane = new StreamLane();
    lane.push(kept(preparing(1), '1'));
    const dropped = Array.from({ length: 300 }, (_, n) => lane.push({ event: passing, atMs: n * 1_000 }));
    expect(dropped.filter((item) => item !== undefined)).toHaveLength(44);
    expect(dropped.at(-1)?.atMs).toBe(43_000);
    expect(lane.next(1_000, 300_000)).toHaveLength(1 + 60);
  });

  it('forgets what was given up', () => {
    const lane = inStream(preparing(1), preparing(2));
    lane.push(kept(creating(1), '3'));
    lane.forget(new Set(['2', '3']));
    expect([lane.inStream, lane.waiting]).toEqual([1, 0]);
  });

  it('gets every event through to readers of any kind, in order, when the stream forgets', () => {
    const action = fc.constantFrom(
      'send' as const,
      'read' as const,
      'cut' as const,
      'look' as const,
      'foreign' as const,
    );
    fc.assert(
      fc.property(fc.array(action, { minLength: 5, maxLength: 120 }), (actions) => {
        const stream = new ModelStream();
        const lane = new StreamLane();
        [1, 2, 3].flatMap(lifeOf).forEach((event, at) => lane.push(kept(event, String(at))));
        for (const step of [
          ...actions,
          ...Array.from({ length: 40 }, () => ['send', 'read', 'look'] as const).flat(),
        ]) {
          if (step === 'send') stream.add(lane);
          if (step === 'read') stream.read(3);
          if (step === 'cut') stream.cut(1);
          if (step === 'foreign') stream.addForeign();
          if (step === 'look') stream.settle(lane);
        }
        expect([lane.waiting, lane.inStream]).toEqual([0, 0]);
        for (const n of [1, 2, 3]) {
          const told = stream.given.filter((event) => kernelOf(event) === kernelOf(preparing(n)));
          const ranks = told.map(({ name }) => lifeOf(n).findIndex((event) => event.name === name));
          // Its end is always told. An event may come twice; what it was before its end may be made up for by that.
          expect(ranks.at(-1)).toBe(2);
          expect(ranks).toEqual([...ranks].sort((left, right) => left - right));
        }
      }),
    );
  });
});

/** A stream that is read, and cut at its beginning. */
class ModelStream {
  readonly given: AgentEvent[] = [];
  #entries: { readonly id: number; readonly event: AgentEvent | undefined }[] = [];
  #next = 1;
  #lastDelivered = 0;

  add(lane: StreamLane): void {
    const items = lane.next(2, 0);
    lane.sent(
      items,
      items.map(({ event }) => `${this.#append(event)}-0`),
    );
  }

  addForeign(): void {
    this.#append(undefined);
  }

  read(count: number): void {
    for (const { id, event } of this.#entries.filter(({ id }) => id > this.#lastDelivered).slice(0, count)) {
      this.#lastDelivered = id;
      if (event !== undefined) this.given.push(event);
    }
  }

  cut(count: number): void {
    this.#entries.splice(0, count);
  }

  settle(lane: StreamLane): void {
    const first = this.#entries[0] && `${this.#entries[0].id}-0`;
    const { lost, overtaking } = lane.settle({ lastDelivered: `${this.#lastDelivered}-0`, first, lag: 0 });
    const out = new Set([...lost, ...overtaking].map(({ streamId }) => Number.parseInt(streamId)));
    this.#entries = this.#entries.filter(({ id }) => !out.has(id));
    lane.takeBack(new Set([...lost, ...overtaking].map(({ item }) => item)));
  }

  #append(event: AgentEvent | undefined): number {
    this.#entries.push({ id: this.#next, event });
    return this.#next++;
  }
}
