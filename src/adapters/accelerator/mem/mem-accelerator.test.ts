import { describe, expect, it } from 'vitest';
import { hostTree } from '../../../../test/support/host-tree.js';
import { MemAccelerator } from './mem-accelerator.adapter.js';

const call = { signal: new AbortController().signal };
const MEMINFO = { 'proc/meminfo': 'MemTotal:        1000 kB\nMemFree:          200 kB\nMemAvailable:     600 kB' };

async function amount(files: Record<string, string>, overcommit?: number): Promise<string | undefined> {
  const [device] = await new MemAccelerator(await hostTree({ ...MEMINFO, ...files }), overcommit).discover(call);
  return device?.amount;
}

describe('memory', () => {
  it.each<[string, Record<string, string>, string]>([
    ['the machine’s', {}, '1024000'],
    ['the containers’ cgroup’s, v2', { 'cgroup/docker/memory.max': '500000' }, '500000'],
    ['the containers’ cgroup’s, v1', { 'cgroup/memory/docker/memory.limit_in_bytes': '400000' }, '400000'],
    ['the machine’s without a limit, v2', { 'cgroup/system.slice/memory.max': 'max' }, '1024000'],
    [
      'the machine’s without a limit, v1',
      { 'cgroup/memory/docker/memory.limit_in_bytes': '9223372036854771712' },
      '1024000',
    ],
  ])('is %s', async (_, files, expected) => {
    expect(await amount(files)).toBe(expected);
  });

  it('is given out as often as told', async () => {
    expect(await amount({}, 2)).toBe('2048000');
  });

  it('fails where the machine does not tell', async () => {
    const plugin = new MemAccelerator(await hostTree({}));
    await expect(plugin.discover(call)).rejects.toMatchObject({ name: 'StorageError' });
  });

  it('is limited without swap', () => {
    const plugin = new MemAccelerator({ procRoot: '/nowhere', sysRoot: '/nowhere', cgroupRoot: '/nowhere' });
    expect(plugin.contribute({ mem: { root: '536870912' } })).toEqual({
      limits: { memoryBytes: 536_870_912, memorySwapBytes: 536_870_912 },
    });
  });
});
