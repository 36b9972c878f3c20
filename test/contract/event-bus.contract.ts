import { expect, describe, it } from 'vitest';
import type { AnnouncedEvent, EventBus } from '../../src/application/ports/event-bus.port.js';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';

const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');

/** An event of kernel number `kernel` that can be told from others by its stage. */
export function stageEvent(kernel: number, stage: string): AgentEvent {
  const kernelId = parseKernelId(`11111111-1111-4111-8111-${String(kernel).padStart(12, '0')}`);
  return {
    name: 'kernel_stage',
    body: { kernel_id: kernelId, session_id: SESSION, stage, elapsed_ms: 1, message: '' },
  };
}

/** What EventBus promises to those who watch this node. */
export function eventBusContract(
  title: string,
  open: () => Promise<{ readonly bus: EventBus; readonly agentId: string; close(): Promise<void> }>,
): void {
  const withBus = (run: (bus: EventBus, agentId: string) => Promise<void>) => async () => {
    const { bus, agentId, close } = await open();
    try {
      await run(bus, agentId);
    } finally {
      await close();
    }
  };
  const stages = (events: readonly AnnouncedEvent[]): string[] =>
    events.map(({ event }) => (event.name === 'kernel_stage' ? event.body.stage : event.name));

  describe(`EventBus: ${title}`, () => {
    it(
      'numbers and stamps events, one after the other',
      withBus(async (bus, agentId) => {
        const seen: AnnouncedEvent[] = [];
        bus.subscribe((event) => seen.push(event));
        await Promise.all(['a', 'b', 'c'].map((stage) => bus.announce(stageEvent(1, stage))));
        expect(stages(seen)).toEqual(['a', 'b', 'c']);
        const [first] = seen;
        expect(seen.map(({ id }) => id - first!.id)).toEqual([0, 1, 2]);
        expect(seen.every(({ source, timestampMs }) => source === agentId && timestampMs > 1e12)).toBe(true);
      }),
    );

    it(
      'gives a late listener nothing of the past unless it asks',
      withBus(async (bus) => {
        await bus.announce(stageEvent(1, 'before'));
        const seen: AnnouncedEvent[] = [];
        bus.subscribe((event) => seen.push(event));
        await bus.announce(stageEvent(1, 'after'));
        expect(stages(seen)).toEqual(['after']);
      }),
    );

    it(
      'replays what is after an id, then goes on without a gap or a repetition',
      withBus(async (bus) => {
        const first: AnnouncedEvent[] = [];
        const early = bus.subscribe((event) => first.push(event));
        for (const stage of ['a', 'b', 'c']) await bus.announce(stageEvent(1, stage));
        early[Symbol.dispose]();
        const seen: AnnouncedEvent[] = [];
        bus.subscribe((event) => seen.push(event), first[0]!.id);
        expect(stages(seen)).toEqual(['b', 'c']);
        await bus.announce(stageEvent(1, 'd'));
        expect(stages(seen)).toEqual(['b', 'c', 'd']);
        expect(first).toHaveLength(3);
      }),
    );

    it(
      'keeps at least the last 1,000',
      withBus(async (bus) => {
        for (let n = 0; n < 3_000; n++) await bus.announce(stageEvent(n % 3, String(n)));
        const seen: AnnouncedEvent[] = [];
        bus.subscribe((event) => seen.push(event), 0);
        expect(seen.length).toBeGreaterThanOrEqual(1_000);
        expect(stages(seen).at(-1)).toBe('2999');
        expect(seen.every(({ id }, index) => index === 0 || id === seen[index - 1]!.id + 1)).toBe(true);
      }),
    );

    it(
      'keeps a listener that throws, and the others',
      withBus(async (bus) => {
        let calls = 0;
        const seen: AnnouncedEvent[] = [];
        bus.subscribe(() => {
          calls++;
          throw new Error('a bad listener');
        });
        bus.subscribe((event) => seen.push(event));
        await bus.announce(stageEvent(1, 'a'));
        await bus.announce(stageEvent(1, 'b'));
        expect(calls).toBe(2);
        expect(stages(seen)).toEqual(['a', 'b']);
      }),
    );

    it(
      'shows every listener the same order, also of events announced by a listener',
      withBus(async (bus) => {
        const left: AnnouncedEvent[] = [];
        const right: AnnouncedEvent[] = [];
        const answers: Promise<void>[] = [];
        bus.subscribe((event) => {
          left.push(event);
          if (stages([event])[0] === 'question') answers.push(bus.announce(stageEvent(1, 'answer')));
        });
        bus.subscribe((event) => right.push(event));
        await bus.announce(stageEvent(1, 'question'));
        await Promise.all(answers);
        expect(stages(left)).toEqual(['question', 'answer']);
        expect(right).toEqual(left);
      }),
    );

    it(
      'stops calling a disposed listener, at once',
      withBus(async (bus) => {
        const seen: AnnouncedEvent[] = [];
        const subscription: Disposable = bus.subscribe((event) => {
          seen.push(event);
          subscription[Symbol.dispose]();
        });
        await bus.announce(stageEvent(1, 'a'));
        await bus.announce(stageEvent(1, 'b'));
        expect(stages(seen)).toEqual(['a']);
      }),
    );
  });
}
