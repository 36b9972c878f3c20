import { describe, expect, it } from 'vitest';
import { MockAccelerator } from './mock-accelerator.adapter.js';
import type { MockAcceleratorConfig } from './mock-accelerator-config.js';

const GIB = 1024 ** 3;
const devices: MockAcceleratorConfig['devices'] = [
  { id: '0', model: 'M', memoryBytes: 4 * GIB, processingUnits: 20, numaNode: 0 },
  { id: '10', memoryBytes: 2 * GIB, processingUnits: 80, numaNode: 1 },
  { id: '9', memoryBytes: GIB, processingUnits: 80 },
];
const whole = new MockAccelerator({ devices });
const shares = new MockAccelerator({ key: 'vgpu-x', mode: 'shares', quantum: '0.25', strategy: 'FILL', devices });

describe('whole devices', () => {
  it('are found as configured', async () => {
    expect((await whole.discover())[0]).toEqual({
      deviceId: '0',
      deviceName: 'mock',
      slotName: 'mock.device',
      amount: '1',
      numaNode: 0,
      modelName: 'M',
      hwLocation: 'mock:0',
      memoryBytes: 4 * GIB,
      processingUnits: 20,
    });
    expect(whole.sharing).toEqual({ kind: 'discrete', strategy: 'EVENLY' });
  });

  it('reach container and resource.txt in the order of their numbers', () => {
    const allocation = { 'mock.device': { 10: '1', 9: '1' } };
    expect(whole.contribute(allocation)).toEqual({ env: { MOCK_VISIBLE_DEVICES: '9,10' } });
    expect(whole.resourceLines(allocation)).toEqual({
      MOCK_GLOBAL_DEVICE_IDS: '0:9,1:10',
      MOCK_RESOURCE_VIRTUALIZED: '0',
    });
    expect(whole.attached(allocation)).toEqual([
      { deviceId: '9', modelName: 'Mock Accelerator', memoryBytes: GIB, processingUnits: 80 },
      { deviceId: '10', modelName: 'Mock Accelerator', memoryBytes: 2 * GIB, processingUnits: 80 },
    ]);
  });
});

describe('hardware', () => {
  it('is told in texts', async () => {
    expect(await whole.hardware()).toEqual({
      status: 'healthy',
      statusInfo: null,
      metadata: { mode: 'device', devices: '3', models: 'M, Mock Accelerator', driver: 'mock' },
    });
  });
});

describe('shares', () => {
  it('are what memory and processing units allow, whichever is less', async () => {
    expect((await shares.discover()).map(({ amount, slotName }) => [slotName, amount])).toEqual([
      ['vgpu-x.shares', '2'],
      ['vgpu-x.shares', '1'],
      ['vgpu-x.shares', '0.5'],
    ]);
    expect(shares.sharing).toEqual({ kind: 'fraction', strategy: 'FILL', quantum: '0.25', minimum: '0.01' });
  });

  it('limit memory and processing units', () => {
    expect(shares.resourceLines({ 'vgpu-x.shares': { 0: '1.5', 9: '0.25' } })).toEqual({
      VGPU_X_GLOBAL_DEVICE_IDS: '0:0,1:9',
      VGPU_X_RESOURCE_VIRTUALIZED: '1',
      VGPU_X_MEMORY_LIMITS: `0:${3 * GIB},9:${GIB / 2}`,
      VGPU_X_PROCESSOR_LIMITS: '0:12,9:4',
      VGPU_X_RESERVED_MEMORY: '67108864',
    });
  });
});

it.each<[string, object, string]>([
  ['two devices of one id', { devices: [devices[0], devices[0]] }, 'mock.devices'],
  ['an id that resource.txt can’t hold', { devices: [{ ...devices[0], id: 'a:b' }] }, 'mock.devices.0.id'],
  ['the name of an intrinsic plug-in', { key: 'cpu', devices }, 'mock.key'],
  ['an unknown key', { devices, colour: 'red' }, 'mock'],
  ['no devices', {}, 'mock.devices'],
])('refuses %s', (_, config, field) => {
  expect(() => new MockAccelerator(config as MockAcceleratorConfig)).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', field }),
  );
});
