import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKernelId, parseSessionId } from '../kernel/kernel-id.js';
import type { KernelState } from '../kernel/kernel-state.js';
import { type DesiredKernel, type ObservedContainer, plan } from './plan.js';

const id = (n: number) => parseKernelId(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
const session = parseSessionId('00000000-0000-4000-9000-000000000000');

const kernel = (n: number, state: KernelState, more: Partial<DesiredKernel> = {}): DesiredKernel => ({
  kernelId: id(n),
  state,
  containerId: `c${n}`,
  busy: false,
  attached: true,
  terminationReason: null,
  ...more,
});

const container = (n: number, condition: ObservedContainer['condition'], containerId = `c${n}`): ObservedContainer => ({
  kernelId: id(n),
  sessionId: session,
  containerId,
  condition,
});

describe('plan', () => {
  it.each<[string, DesiredKernel[], ObservedContainer[], object[]]>([
    ['a healthy kernel needs nothing', [kernel(1, 'RUNNING')], [container(1, 'alive')], []],
    [
      'a running container of a record is adopted after a start',
      [kernel(1, 'RUNNING', { attached: false })],
      [container(1, 'alive')],
      [{ type: 'adopt', kernelId: id(1), containerId: 'c1' }],
    ],
    [
      'a dead container ends its kernel',
      [kernel(1, 'RUNNING')],
      [container(1, 'dead')],
      [{ type: 'terminate', kernelId: id(1), reason: 'self-terminated' }],
    ],
    [
      'a missing container ends its kernel',
      [kernel(1, 'RUNNING')],
      [],
      [{ type: 'terminate', kernelId: id(1), reason: 'container-not-found' }],
    ],
    [
      'a half-made kernel is unmade',
      [kernel(1, 'PREPARING')],
      [container(1, 'starting')],
      [{ type: 'terminate', kernelId: id(1), reason: 'failed-to-create' }],
    ],
    [
      'a half-restarted kernel is unmade',
      [kernel(1, 'RESTARTING')],
      [],
      [{ type: 'terminate', kernelId: id(1), reason: 'failed-to-start' }],
    ],
    [
      'a half-destroyed kernel is finished with the reason that it had',
      [kernel(1, 'TERMINATING', { terminationReason: 'user-requested' })],
      [container(1, 'alive')],
      [{ type: 'terminate', kernelId: id(1), reason: 'user-requested' }],
    ],
    ['a busy kernel is left alone', [kernel(1, 'PREPARING', { busy: true })], [], []],
    [
      'a container that nobody knows is removed and told',
      [],
      [container(1, 'alive')],
      [{ type: 'remove-container', kernelId: id(1), sessionId: session, containerId: 'c1', announce: true }],
    ],
    [
      'a second container of a kernel is removed silently',
      [kernel(1, 'RUNNING')],
      [container(1, 'alive', 'old'), container(1, 'alive')],
      [{ type: 'remove-container', kernelId: id(1), sessionId: session, containerId: 'old', announce: false }],
    ],
  ])('%s', (_, kernels, containers, steps) => {
    expect(plan({ containers, scratches: [] }, { kernels })).toEqual(steps);
  });

  it('removes a scratch directory without a kernel, and no other', () => {
    const steps = plan(
      { containers: [], scratches: [id(1), id(2)] },
      { kernels: [kernel(1, 'PREPARING', { busy: true })] },
    );
    expect(steps).toEqual([{ type: 'remove-scratch', kernelId: id(2) }]);
  });

  it('never touches a busy kernel and gives each kernel at most one fate', () => {
    const states = fc.constantFrom<KernelState>('PREPARING', 'RUNNING', 'RESTARTING', 'TERMINATING');
    const numbers = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.record({ n: numbers, state: states, busy: fc.boolean(), attached: fc.boolean() }), {
          selector: (k) => k.n,
        }),
        fc.array(fc.record({ n: numbers, condition: fc.constantFrom('starting', 'alive', 'dead' as const) })),
        fc.uniqueArray(numbers),
        (kernels, containers, scratches) => {
          const steps = plan(
            {
              containers: containers.map((c, index) => container(c.n, c.condition, `c${c.n}-${index}`)),
              scratches: scratches.map(id),
            },
            { kernels: kernels.map((k) => kernel(k.n, k.state, k)) },
          );
          for (const k of kernels) {
            const own = steps.filter((step) => step.kernelId === id(k.n));
            if (k.busy) expect(own).toEqual([]);
            expect(own.filter((step) => step.type === 'adopt' || step.type === 'terminate').length).toBeLessThanOrEqual(
              1,
            );
            expect(own.every((step) => step.type !== 'remove-scratch')).toBe(true);
          }
        },
      ),
    );
  });
});
