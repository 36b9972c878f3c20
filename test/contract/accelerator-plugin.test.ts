import { CpuAccelerator } from '../../src/adapters/accelerator/cpu/cpu-accelerator.adapter.js';
import { MemAccelerator } from '../../src/adapters/accelerator/mem/mem-accelerator.adapter.js';
import { MockAccelerator } from '../../src/adapters/accelerator/mock/mock-accelerator.adapter.js';
import { acceleratorPluginContract } from './accelerator-plugin.contract.js';

/** The machine that runs the tests. */
const HOST = { procRoot: '/proc', sysRoot: '/sys', cgroupRoot: '/sys/fs/cgroup' };

const devices = [
  { id: 'a', memoryBytes: 8 * 1024 ** 3, processingUnits: 32, numaNode: 0 },
  { id: 'b', memoryBytes: 16 * 1024 ** 3, processingUnits: 64, numaNode: 1 },
];

acceleratorPluginContract('cpu', () => new CpuAccelerator(HOST));
acceleratorPluginContract('mem', () => new MemAccelerator(HOST));
acceleratorPluginContract('mock, whole devices', () => new MockAccelerator({ devices }));
acceleratorPluginContract('mock, shares', () => new MockAccelerator({ key: 'frac', mode: 'shares', devices }));
