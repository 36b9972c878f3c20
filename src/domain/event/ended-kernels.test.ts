import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KernelId, parseKernelId, parseSessionId } from '../kernel/kernel-id.js';
import type { TerminationReason } from '../kernel/termination-reason.js';
import type { AgentEvent } from './agent-event.js';
import { EndedKernels } from './ended-kernels.js';

const SESSION = parseSessionId('22222222-2222-4222-8222-222222222222');
const idOf = (n: number): KernelId => parseKernelId(`11111111-1111-4111-8111-${String(n).padStart(12, '0')}`);
const never = () => false;

const step = (n: number, name: 'kernel_preparing' | 'kernel_creating'): AgentEvent => ({
  name,
  body: { kernel_id: idOf(n), session_id: SESSION, reason: '' },
});
const end = (n: number, reason: TerminationReason = 'user-requested'): AgentEvent => ({
  name: 'kernel_terminated',
  body: { kernel_id: idOf(n), session_id: SESSION, reason, exit_code: -1 },
});

describe('EndedKernels', () => {
  it('lets one end through, and nothing after it', () => {
    const ended = new EndedKernels();
    expect(ended.admit(step(1, 'kernel_preparing'), never)).toBe(true);
    expect(ended.admit(end(1), never)).toBe(true);
    expect(ended.admit(end(1, 'failed-to-start'), never)).toBe(false);
    expect(ended.admit(step(1, 'kernel_creating'), never)).toBe(false);
    expect(ended.admit(step(2, 'kernel_creating'), never)).toBe(true);
  });

  it('lets the notice of a log through that is stored only after the end', () => {
    const ended = new EndedKernels([idOf(1)]);
    const body = { kernel_id: idOf(1), container_id: 'c1' };
    expect(ended.admit({ name: 'do_sync_kernel_logs', body }, never)).toBe(true);
    expect(ended.admit(step(1, 'kernel_creating'), never)).toBe(false);
  });

  it('begins anew with a kernel of the same id that is made again', () => {
    const ended = new EndedKernels([idOf(1)]);
    expect(ended.admit(step(1, 'kernel_preparing'), never)).toBe(true);
    expect(ended.admit(step(1, 'kernel_creating'), never)).toBe(true);
    expect(ended.admit(end(1), never)).toBe(true);
    expect(ended.admit(end(1), never)).toBe(false);
  });

  it('answers a Manager that asks again, unless the end is still on its way', () => {
    const ended = new EndedKernels([idOf(1)]);
    expect(ended.admit(end(1, 'already-terminated'), () => true)).toBe(false);
    expect(ended.admit(end(1, 'already-terminated'), never)).toBe(true);
  });

  it('has nothing against events of no kernel', () => {
    const ended = new EndedKernels([idOf(1)]);
    expect(ended.admit({ name: 'execution_started', body: { session_id: SESSION } }, never)).toBe(true);
  });

  it('tells each life of a kernel with one end, the last event of it', () => {
    const kinds = fc.constantFrom('kernel_preparing' as const, 'kernel_creating' as const, 'end' as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), kinds), { maxLength: 60 }), (calls) => {
        const ended = new EndedKernels();
        const told = new Map<number, string[]>();
        for (const [n, kind] of calls) {
          if (!ended.admit(kind === 'end' ? end(n) : step(n, kind), never)) continue;
          told.set(n, [...(told.get(n) ?? []), kind]);
        }
        for (const names of told.values()) {
          names.forEach((name, at) => {
            if (at > 0 && names[at - 1] === 'end') expect(name).toBe('kernel_preparing');
          });
        }
      }),
    );
  });

  it('remembers thousands, not all', () => {
    const ended = new EndedKernels();
    for (let n = 0; n < 5_000; n++) ended.admit(end(n), never);
    expect(ended.ids()).toHaveLength(4_096);
    expect(ended.admit(end(4_999), never)).toBe(false);
  });
});
