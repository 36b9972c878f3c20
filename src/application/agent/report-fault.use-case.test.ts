import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.js';
import type { AgentEvent } from '../../domain/event/agent-event.js';
import type { EventBus } from '../ports/event-bus.port.js';
import { ReportFault } from './report-fault.use-case.js';

function bench() {
  const clock = new ManualClock();
  const told: AgentEvent[] = [];
  const events: EventBus = {
    announce: (event) => {
      told.push(event);
      return Promise.reject(new Error('away'));
    },
    subscribe: () => ({ [Symbol.dispose]: () => undefined }),
  };
  return { clock, told, faults: new ReportFault(events, clock) };
}
const fault = (message: string): Error => new TypeError(message);

it('tells where it happened and never what was said', () => {
  const { told, faults } = bench();
  faults.execute(fault('password=hunter2'), { rpc_method: 'commit', request_id: 'r' });
  faults.execute('hunter2', {});
  expect(told).toEqual([
    {
      name: 'agent_error',
      body: {
        message: 'unexpected TypeError in the agent',
        traceback: expect.stringContaining('report-fault.use-case.test'),
        user: null,
        context_env: { rpc_method: 'commit', request_id: 'r' },
        severity: 'ERROR',
      },
    },
    {
      name: 'agent_error',
      body: expect.objectContaining({ message: 'unexpected string in the agent', traceback: null }),
    },
  ]);
  expect(JSON.stringify(told)).not.toContain('hunter2');
});

it('tells one kind once a minute', async () => {
  const { clock, told, faults } = bench();
  for (let i = 0; i < 100; i += 1) faults.execute(fault(`number ${i}`), {});
  faults.execute(new RangeError('another kind'), {});
  expect(told).toHaveLength(2);
  await clock.advance(60_000);
  faults.execute(fault('again'), {});
  expect(told).toHaveLength(3);
});

it('remembers a bounded number of kinds', () => {
  const { told, faults } = bench();
  for (let i = 0; i < 300; i += 1) {
    const odd = fault('x');
    odd.stack = `TypeError: x\n    at place${i}`;
    faults.execute(odd, {});
  }
  expect(told).toHaveLength(300);
});
