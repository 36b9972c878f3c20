import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentEventName } from '../../domain/event/agent-event.js';
import { EventQueue, type WaitingEvent } from './event-queue.js';

const waiting = (name: AgentEventName, mark: string): WaitingEvent => ({
  ...{ name, anycast: true, broadcast: false, fields: [], channelText: mark },
});

function drain(queue: EventQueue): string[] {
  const marks: string[] = [];
  for (let first = queue.first; first !== undefined; first = queue.first) {
    marks.push(first.channelText);
    queue.shift();
  }
  return marks;
}

describe('EventQueue', () => {
  it('is first in, first out', () => {
    const queue = new EventQueue(10);
    for (const mark of ['a', 'b', 'c']) queue.push(waiting('kernel_preparing', mark));
    expect(drain(queue)).toEqual(['a', 'b', 'c']);
  });

  it('keeps only the newest heartbeat, and the one under way', () => {
    const queue = new EventQueue(10);
    queue.push(waiting('agent_heartbeat', '1'));
    queue.push(waiting('agent_heartbeat', '2'));
    queue.push(waiting('kernel_started', 'k'));
    queue.push(waiting('agent_heartbeat', '3'));
    expect(drain(queue)).toEqual(['1', 'k', '3']);
  });

  it('gives up the oldest of what can be missed, and what a kernel became last of all', () => {
    const queue = new EventQueue(3);
    queue.push(waiting('execution_started', 'under way'));
    queue.push(waiting('kernel_terminated', 'end'));
    queue.push(waiting('execution_started', 'e'));
    expect(queue.push(waiting('kernel_started', 'start'))?.channelText).toBe('e');
    expect(queue.push(waiting('kernel_terminated', 'end 2'))?.channelText).toBe('end');
    expect(drain(queue)).toEqual(['under way', 'start', 'end 2']);
  });

  it('never grows above its limit, and never changes the order', () => {
    const names: AgentEventName[] = ['kernel_started', 'kernel_terminated', 'execution_started', 'agent_heartbeat'];
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.array(fc.constantFrom(...names), { maxLength: 60 }),
        (limit, pushes) => {
          const queue = new EventQueue(limit);
          pushes.forEach((name, index) => {
            queue.push(waiting(name, String(index)));
            expect(queue.length).toBeLessThanOrEqual(limit);
          });
          const marks = drain(queue).map(Number);
          expect(marks).toEqual([...marks].sort((left, right) => left - right));
        },
      ),
    );
  });
});
