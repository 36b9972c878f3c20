import { describe, expect, it } from 'vitest';
import { parseKernelId } from '../kernel/kernel-id.js';
import { type DeviceSupply, ResourceBook, type ResourceBookOptions } from './allocator.js';
import type { ComputeDevice } from './device.js';

const K1 = parseKernelId('11111111-2222-3333-4444-555555555555');
const K2 = parseKernelId('21111111-2222-3333-4444-555555555555');
const GIB = 1_073_741_824;

function device(
  deviceName: string,
  slotName: string,
  deviceId: string,
  amount: string,
  numaNode: number | null,
): ComputeDevice {
  return {
    deviceId,
    deviceName,
    slotName,
    amount,
    numaNode,
    modelName: '',
    hwLocation: '',
    memoryBytes: 0,
    processingUnits: 0,
  };
}

const CPU: DeviceSupply = {
  deviceName: 'cpu',
  slotTypes: { cpu: 'count' },
  sharing: { kind: 'discrete', strategy: 'EVENLY' },
  devices: ['10', '2', '0', '1', '11', '3'].map((id) => device('cpu', 'cpu', id, '1', Number(id) % 2)),
};
const MEM: DeviceSupply = {
  deviceName: 'mem',
  slotTypes: { mem: 'bytes' },
  sharing: { kind: 'discrete', strategy: 'FILL' },
  devices: [device('mem', 'mem', 'root', String(8 * GIB + 5), 0)],
};
const GPU: DeviceSupply = {
  deviceName: 'mock',
  slotTypes: { 'mock.device': 'count', 'mock.hook': 'unified' },
  sharing: { kind: 'discrete', strategy: 'EVENLY' },
  devices: [device('mock', 'mock.device', 'g0', '1', 0), device('mock', 'mock.device', 'g1', '1', 1)],
};

function book(options: Partial<ResourceBookOptions> = {}): ResourceBook {
  return new ResourceBook({
    supplies: [GPU, CPU, MEM],
    reserved: {},
    memoryAlignBytes: 16 * 1024 * 1024,
    allocationOrder: ['mock', 'cpu', 'mem'],
    affinityPolicy: 'INTERLEAVED',
    ...options,
  });
}

describe('ResourceBook', () => {
  it('reports what can be given out, memory aligned', () => {
    expect(book().totals()).toEqual({ 'mock.device': '2', cpu: '6', mem: String(8 * GIB) });
  });

  it('keeps reserved cores really free, the lowest-numbered ones', () => {
    const reserving = book({ reserved: { cpu: '3', mem: String(GIB) } });
    expect(reserving.totals()).toMatchObject({ cpu: '3', mem: String(7 * GIB) });
    const { cpu } = reserving.allocate(K1, { cpu: '3', mem: '0' });
    expect(Object.keys(cpu!['cpu']!)).toEqual(['3', '10', '11']);
    expect(() => reserving.allocate(K2, { cpu: '1' })).toThrow(
      expect.objectContaining({ name: 'InsufficientResource' }),
    );
  });

  it.each(['cpu', 'mem'])('refuses to start when all of %s is reserved', (slot) => {
    expect(() => book({ reserved: { [slot]: '999999999999' } })).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', field: `resource.reserved-${slot}` }),
    );
  });

  it('chooses cores near the accelerator', () => {
    const one = book();
    one.restore(K2, { mock: { 'mock.device': { g0: '1' } } });
    const allocation = one.allocate(K1, { cpu: '2', mem: String(GIB), 'mock.device': '1' });
    expect(allocation['mock']).toEqual({ 'mock.device': { g1: '1' } });
    expect(Object.keys(allocation['cpu']!['cpu']!).every((core) => Number(core) % 2 === 1)).toBe(true);
    expect(Object.keys(allocation)).toEqual(['mock', 'cpu', 'mem']);
  });

  it('allocates device names that the order lacks, after the others', () => {
    const allocation = book({ allocationOrder: ['cpu', 'mem'] }).allocate(K1, {
      cpu: '1',
      mem: '1024',
      'mock.device': '1',
    });
    expect(Object.keys(allocation)).toEqual(['cpu', 'mem', 'mock']);
  });

  it('leaves everything as it was when one slot fails', () => {
    const one = book();
    const before = one.available();
    expect(() => one.allocate(K1, { 'mock.device': '1', cpu: '2', mem: String(100 * GIB) })).toThrow(
      'mem: 100g requested, 8g available (8g in all)',
    );
    expect(one.available()).toEqual(before);
    expect(one.allocationOf(K1)).toBeUndefined();
  });

  it('gives back once, however often it is asked to', () => {
    const one = book();
    one.allocate(K1, { cpu: '3', mem: '1024' });
    one.release(K1);
    one.release(K1);
    one.release(K2);
    expect(one.available()).toEqual(one.totals());
    expect(one.occupied()).toEqual({ 'mock.device': '0', cpu: '0', mem: '0' });
  });

  it('refuses a second allocation of one kernel', () => {
    const one = book();
    one.allocate(K1, { cpu: '1' });
    expect(() => one.allocate(K1, { cpu: '1' })).toThrow(expect.objectContaining({ name: 'ResourceError' }));
    expect(one.occupied()['cpu']).toBe('1');
  });

  it('restores what a surviving kernel holds, and tells what is not right about it', () => {
    const one = book();
    expect(one.restore(K1, { cpu: { cpu: { 2: '1' } }, mem: { mem: { root: '1024' } } })).toEqual([]);
    expect(one.restore(K1, { cpu: { cpu: { 2: '1' } } })).toEqual([]);
    expect(one.occupied()).toMatchObject({ cpu: '1', mem: '0' });
    const problems = one.restore(K2, { cpu: { cpu: { 2: '1', 99: '1' } }, tpu: { 'tpu.device': { a: '1' } } });
    expect(problems).toHaveLength(3);
    // Both live: five cores are left, and none of them is core 2.
    expect(one.available()['cpu']).toBe('5');
    one.release(K1);
    expect(one.available()['cpu']).toBe('5');
    one.release(K2);
    expect(one.available()).toEqual(one.totals());
  });

  it('does not restore nonsense', () => {
    const one = book();
    one.allocate(K1, { cpu: '1' });
    expect(() => one.restore(K1, { cpu: { cpu: { 2: 'many' } } })).toThrow();
    expect(() => one.restore(K1, { cpu: { cpu: { 2: '-5' } } })).toThrow(/-5/);
    expect(one.occupied()['cpu']).toBe('1');
  });

  it('finds the devices of a kernel', () => {
    const one = book();
    one.allocate(K1, { cpu: '1', 'mock.device': '2' });
    expect(one.devicesOf(K1).map(({ deviceName }) => deviceName)).toEqual(['mock', 'mock', 'cpu']);
    expect(one.devicesOf(K2)).toEqual([]);
  });

  it('refuses slots that are not named after their plug-in', () => {
    const stray = { ...GPU, deviceName: 'gpu' };
    expect(() => book({ supplies: [stray] })).toThrow(expect.objectContaining({ name: 'ConfigurationError' }));
    expect(() => book({ supplies: [GPU, GPU] })).toThrow(expect.objectContaining({ name: 'ConfigurationError' }));
  });
});
