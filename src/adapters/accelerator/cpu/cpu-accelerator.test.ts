import { describe, expect, it } from 'vitest';
import { overcommitFactor } from '../host-files.js';
import { hostTree } from '../../../../test/support/host-tree.js';
import { CpuAccelerator } from './cpu-accelerator.adapter.js';
import { parseCpuList } from './cpu-list.js';

const call = { signal: new AbortController().signal };
const STATUS = { 'proc/self/status': 'Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,6\nThreads:\t1' };

async function cores(files: Record<string, string>, driver?: string): Promise<string[]> {
  const devices = await new CpuAccelerator(await hostTree(files, driver)).discover(call);
  return devices.map(({ deviceId }) => deviceId);
}

describe('usable cores', () => {
  const v1 = { 'cgroup/cpuset/docker/cpuset.effective_cpus': '0-1' };
  const v2 = { 'cgroup/docker/cpuset.cpus.effective': '2-3' };
  const slice = { 'cgroup/system.slice/cpuset.cpus.effective': '4,5' };
  const sliceV1 = { 'cgroup/cpuset/system.slice/cpuset.effective_cpus': '6' };

  it.each<[string, Record<string, string>, string | undefined, string[]]>([
    ['cgroup v1, cgroupfs', { ...v1, ...slice }, 'cgroupfs', ['0', '1']],
    ['cgroup v2, cgroupfs', { ...v2, ...slice }, 'cgroupfs', ['2', '3']],
    ['cgroup v2, systemd', { ...v2, ...slice }, 'systemd', ['4', '5']],
    ['cgroup v1, systemd', { ...v1, ...sliceV1 }, 'systemd', ['6']],
    ['an unknown driver', sliceV1, undefined, ['6']],
    ['no cgroup: what the process may use', {}, 'systemd', ['0', '1', '2', '3', '6']],
    ['an empty cpuset', { 'cgroup/docker/cpuset.cpus.effective': '' }, 'cgroupfs', ['0', '1', '2', '3', '6']],
    ['garbage', { 'cgroup/docker/cpuset.cpus.effective': '3-1,x' }, 'cgroupfs', ['0', '1', '2', '3', '6']],
  ])('come from %s', async (_, files, driver, expected) => {
    expect(await cores({ ...STATUS, ...files }, driver)).toEqual(expected);
  });

  it('are counted when nothing else is known', async () => {
    expect((await cores({})).length).toBeGreaterThan(0);
  });

  it('know their NUMA node where the machine tells, and are given out as often as told', async () => {
    const roots = await hostTree({
      ...STATUS,
      'sys/devices/system/node/node0/cpulist': '0-1',
      'sys/devices/system/node/node1/cpulist': '2-3',
      'sys/devices/system/node/possible': '0-1',
    });
    const devices = await new CpuAccelerator(roots, 3).discover(call);
    expect(devices.map(({ numaNode, amount }) => [numaNode, amount])).toEqual([
      [0, '3'],
      [0, '3'],
      [1, '3'],
      [1, '3'],
      [null, '3'],
    ]);
  });
});

describe('a kernel’s cores', () => {
  const plugin = new CpuAccelerator({ procRoot: '/nowhere', sysRoot: '/nowhere', cgroupRoot: '/nowhere' });

  it('are bound in ascending order', () => {
    expect(plugin.contribute({ cpu: { 5: '1', 0: '1', 11: '1', 1: '1' } })).toEqual({
      limits: { cpusetCpus: '0,1,5,11', cpuQuotaCores: 4 },
    });
  });

  it('give no more bandwidth than there are cores', () => {
    expect(plugin.contribute({ cpu: { 0: '2', 1: '1' } }).limits?.cpuQuotaCores).toBe(2);
  });

  it('are attached without a model', () => {
    expect(plugin.attached({ cpu: { 10: '1', 9: '1' } })).toEqual([
      { deviceId: '9', modelName: '', memoryBytes: null, processingUnits: null },
      { deviceId: '10', modelName: '', memoryBytes: null, processingUnits: null },
    ]);
  });
});

it.each([
  ['0', [0]],
  ['0-3,8,10-11', [0, 1, 2, 3, 8, 10, 11]],
  ['3,1-2,2', [1, 2, 3]],
  ['', undefined],
  ['2-1', undefined],
  ['a', undefined],
  ['0-99999', undefined],
  ['0,', undefined],
])('reads the CPU list %j', (text, expected) => {
  expect(parseCpuList(text)).toEqual(expected);
});

it.each([
  [undefined, 1],
  ['', 1],
  ['4', 4],
])('reads the overcommit factor %j', (text, factor) => {
  expect(overcommitFactor(text, 'BACKEND_CPU_OVERCOMMIT_FACTOR')).toBe(factor);
});

it.each(['0', '11', '1.5', 'many'])('refuses the overcommit factor %j', (text) => {
  expect(() => overcommitFactor(text, 'X')).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', field: 'X' }),
  );
});
