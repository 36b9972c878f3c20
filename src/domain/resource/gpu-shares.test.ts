import { describe, expect, it, vi } from 'vitest';
import { gpuShares } from './gpu-shares.js';

const capacities: Record<string, string> = { 'GPU-0': '7', 'GPU-1': '10', 'MIG-1': '1' };
const capacityOf = (_slot: string, id: string) => capacities[id];

describe('gpuShares', () => {
  it('gives the example of rpc.md §6.16', () => {
    const unknown = vi.fn();
    const kernels = [
      { cuda: { 'cuda.shares': { 'GPU-0': '1.5' } } },
      { cuda: { 'cuda.shares': { 'GPU-0': '1.5', 'GPU-1': '1' } } },
      { cuda: { 'cuda.shares': { 'GPU-0': '1.5', 'GPU-1': '2', 'GPU-9': '3' } }, cpu: { cpu: { '0': '4' } } },
    ];
    expect(gpuShares(kernels, capacityOf, unknown)).toEqual({
      'GPU-0': '0.6429',
      'GPU-1': '0.3000',
      'GPU-9': '3.0000',
    });
    expect(unknown.mock.calls).toEqual([['GPU-9']]);
  });

  it('rounds the sum once, ties to the even digit', () => {
    const of = (amount: string) => ({ cuda: { 'cuda.shares': { a: amount } } });
    const whole = () => '1';
    const none = () => undefined;
    expect(gpuShares([of('0.00005')], whole, none)).toEqual({ a: '0.0000' });
    expect(gpuShares([of('0.00015')], whole, none)).toEqual({ a: '0.0002' });
    // Rounded one by one these would be nothing.
    expect(gpuShares([of('0.00004'), of('0.00004')], whole, none)).toEqual({ a: '0.0001' });
  });

  it('counts every slot of the name, and nobody without a GPU', () => {
    const mig = { cuda: { 'cuda.device': { 'GPU-0': '1' }, 'cuda.device:1g.5gb-mig': { 'MIG-1': '1' } } };
    expect(gpuShares([mig], (slot, id) => (slot === 'cuda.device' ? '1' : capacities[id]), vi.fn())).toEqual({
      'GPU-0': '1.0000',
      'MIG-1': '1.0000',
    });
    expect(gpuShares([{ rocm: { 'rocm.device': { '0': '1' } } }, {}], capacityOf, vi.fn())).toEqual({});
  });
});
