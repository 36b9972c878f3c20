import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FileTree } from '../../../test/support/file-tree.js';
import { CgroupUsageSource } from './cgroup-usage-source.adapter.js';

const id = 'a1'.repeat(32);
const other = 'b2'.repeat(32);
const MiB = 1024 * 1024;

const netDev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999       1    0    0    0     0          0         0      999       1    0    0    0     0       0          0
  eth0: 1000       2    0    0    0     0          0         0  2000       3    0    0    0     0       0          0
  eth1:5 2 0 0 0 0 0 0 7 3 0 0 0 0 0 0
`;

const v1Files = {
  cpuacct: { 'cgroup.procs': '', 'cpuacct.usage': '1500000000\n' },
  memory: {
    'cgroup.procs': '',
    'memory.usage_in_bytes': `${10 * MiB}\n`,
    'memory.stat': `cache 1\nrss 2\ninactive_file 7\ntotal_cache 1\ntotal_inactive_file ${4 * MiB}\ntotal_active_file 9\n`,
    'memory.limit_in_bytes': `${64 * MiB}\n`,
    'memory.max_usage_in_bytes': `${20 * MiB}\n`,
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
  },
  blkio: {
    'cgroup.procs': '',
    'blkio.throttle.io_service_bytes': '8:0 Read 100\n8:0 Write 200\n8:0 Sync 300\n8:0 Total 300\nTotal 300\n',
  },
  pids: { 'cgroup.procs': '', 'pids.current': '3\n' },
};
const v2Files = {
  'cgroup.procs': '',
  'cpu.stat': 'usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n',
  'memory.current': `${10 * MiB}\n`,
  'memory.stat': `anon 1\nfile 2\ninactive_anon 77\ninactive_file ${4 * MiB}\nactive_file 9\n`,
  'memory.max': `${64 * MiB}\n`,
  'memory.peak': `${20 * MiB}\n`,
  'memory.events': 'low 0\nhigh 0\nmax 5\noom 2\noom_kill 2\noom_group_kill 0\n',
  'io.stat': '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=9 dios=0\n',
  'pids.current': '3\n',
};
const expected = {
  cpuMs: 1500,
  memBytes: 6 * MiB,
  memPeakBytes: 20 * MiB,
  memLimitBytes: 64 * MiB,
  oomKills: 2,
  netRxBytes: 1005,
  netTxBytes: 2007,
  ioReadBytes: 100,
  ioWriteBytes: 200,
  pids: 3,
};

/** `{ 'memory.max': … }` below a folder. */
const below = (folder: string, files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([name, text]) => [join(folder, name), text]));

const process = (cgroup: string, pid = 42): Record<string, string> => ({
  [`proc/${pid}/cgroup`]: cgroup,
  [`proc/${pid}/net/dev`]: netDev,
  [`proc/${pid}/ns/net`]: '-> net:[2]',
  'proc/self/ns/net': '-> net:[1]',
});

const v1Layout = (path: string): Record<string, string> => ({
  ...below(`cg/cpu,cpuacct/${path}`, v1Files.cpuacct),
  ...below(`cg/memory/${path}`, v1Files.memory),
  ...below(`cg/blkio/${path}`, v1Files.blkio),
  ...below(`cg/pids/${path}`, v1Files.pids),
});
const v1Proc = (path: string): string =>
  ['9:name=systemd:', '8:pids:', '7:blkio:', '4:memory:', '2:cpu,cpuacct:'].map((line) => `${line}/${path}\n`).join('');
const v2Root = { 'cg/cgroup.controllers': 'cpuset cpu io memory pids\n', 'cg/cgroup.procs': '' };

describe('CgroupUsageSource', () => {
  const trees: FileTree[] = [];
  const make = (files: Record<string, string>): { tree: FileTree; source: CgroupUsageSource } => {
    const tree = new FileTree(files);
    trees.push(tree);
    const source = new CgroupUsageSource({
      procRoot: join(tree.root, 'proc'),
      cgroupRoot: join(tree.root, 'cg'),
      sysRoot: join(tree.root, 'sys'),
      measureDisk: () => ({ totalBytes: 100, usedBytes: 40 }),
    });
    return { tree, source };
  };
  const open = (files: Record<string, string>, cgroupParent = '', pid = 42) =>
    make(files).source.open({ id, pid, cgroupParent });

  afterEach(() => trees.splice(0).forEach((tree) => tree[Symbol.dispose]()));

  const scope = `system.slice/docker-${id}.scope`;
  const rootless = `user.slice/user-1000.slice/user@1000.service/user.slice/docker-${id}.scope`;
  it.each<[string, Record<string, string>]>([
    ['v1 with cgroupfs', { ...v1Layout(`docker/${id}`), ...process(v1Proc(`docker/${id}`)) }],
    ['v1 with systemd', { ...v1Layout(scope), ...process(v1Proc(scope)) }],
    ['v2 with systemd', { ...v2Root, ...below(`cg/${scope}`, v2Files), ...process(`0::/${scope}\n`) }],
    ['v2 with cgroupfs', { ...v2Root, ...below(`cg/docker/${id}`, v2Files), ...process(`0::/docker/${id}\n`) }],
    ['v2 rootless', { ...v2Root, ...below(`cg/${rootless}`, v2Files), ...process(`0::/${rootless}\n`) }],
    [
      'hybrid, all in v1',
      {
        ...v1Layout(`docker/${id}`),
        'cg/unified/cgroup.controllers': 'hugetlb\n',
        ...below(`cg/unified/docker/${id}`, { 'cgroup.procs': '', 'cpu.stat': 'usage_usec 7\n' }),
        ...process(`${v1Proc(`docker/${id}`)}0::/docker/${id}\n`),
      },
    ],
    [
      'hybrid, memory in v2',
      {
        ...below(`cg/cpuacct/docker/${id}`, v1Files.cpuacct),
        ...below(`cg/blkio/docker/${id}`, v1Files.blkio),
        ...below(`cg/pids/docker/${id}`, v1Files.pids),
        'cg/unified/cgroup.controllers': 'memory\n',
        ...below(`cg/unified/docker/${id}`, v2Files),
        ...process(`4:pids:/docker/${id}\n3:blkio:/docker/${id}\n2:cpuacct:/docker/${id}\n0::/docker/${id}\n`),
      },
    ],
    [
      'v2, first process in a group of its own',
      { ...v2Root, ...below(`cg/docker/${id}`, v2Files), ...process(`0::/docker/${id}/init\n`) },
    ],
    [
      'v2, a container engine inside',
      { ...v2Root, ...below(`cg/docker/${id}`, v2Files), ...process(`0::/docker/${id}/docker/${other}\n`) },
    ],
    ['v2, process gone, by rule', { ...v2Root, ...below(`cg/${scope}`, v2Files), 'proc/42/net/dev': netDev }],
    [
      'v2, seen from another part of the tree',
      { ...v2Root, ...below(`cg/docker/${id}`, v2Files), ...process(`0::/../../elsewhere/${id}\n`) },
    ],
  ])('reads %s', (_, files) => {
    const usage = open(files);
    expect(usage.read()).toEqual({ ...expected, atMs: expect.any(Number) });
    usage[Symbol.dispose]();
    expect(usage.read()).toBeUndefined();
  });

  it('uses the cgroup parent where the process tells nothing', () => {
    const folder = `cg/a.slice/a-b.slice/docker-${id}.scope`;
    expect(open({ ...v2Root, ...below(folder, v2Files), 'proc/x': '' }, 'a-b.slice').read()?.cpuMs).toBe(1500);
    const plain = { ...v2Root, ...below(`cg/mine/${id}`, v2Files), 'proc/x': '' };
    expect(open(plain, '/mine').read()?.cpuMs).toBe(1500);
  });

  it('says so if there is no such cgroup, and never takes the root for it', () => {
    const files = { ...v2Root, 'cg/cpu.stat': 'usage_usec 1\n', ...process('0::/\n') };
    expect(() => open(files)).toThrow(/cgroup of container a1a1a1a1a1a1 was not found/);
    expect(() => open({ 'proc/x': '' })).toThrow(/not found/);
  });

  it('clamps the working set, reads "max" as no limit and tracks the peak itself on old kernels', () => {
    const folder = `cg/docker/${id}`;
    const old = Object.fromEntries(Object.entries(v2Files).filter(([name]) => name !== 'memory.peak'));
    const { tree, source } = make({
      ...v2Root,
      ...below(folder, { ...old, 'memory.max': 'max\n', 'memory.current': '100\n' }),
      ...process(`0::/docker/${id}\n`),
    });
    const usage = source.open({ id, pid: 42, cgroupParent: '' });
    expect(usage.read()).toMatchObject({ memBytes: 0, memLimitBytes: 0 });
    tree.write({ [`${folder}/memory.current`]: String(9 * MiB), [`${folder}/memory.stat`]: 'inactive_file 0\n' });
    expect(usage.read()).toMatchObject({ memBytes: 9 * MiB, memPeakBytes: 9 * MiB });
    tree.write({ [`${folder}/memory.current`]: '5' });
    expect(usage.read()).toMatchObject({ memBytes: 5, memPeakBytes: 9 * MiB });
  });

  it("reads v1's largest number as no limit", () => {
    const memory = { ...v1Files.memory, 'memory.limit_in_bytes': '9223372036854771712\n' };
    const files = { ...v1Layout(`docker/${id}`), ...below(`cg/memory/docker/${id}`, memory) };
    expect(open({ ...files, ...process(v1Proc(`docker/${id}`)) }).read()?.memLimitBytes).toBe(0);
  });

  it('counts no network for a container in the network of the host', () => {
    const files = { ...v2Root, ...below(`cg/docker/${id}`, v2Files), ...process(`0::/docker/${id}\n`) };
    const usage = open({ ...files, 'proc/42/ns/net': '-> net:[1]' });
    expect(usage.read()).toMatchObject({ netRxBytes: 0, netTxBytes: 0, cpuMs: 1500 });
  });

  it('keeps the last network counts when the interfaces vanish', () => {
    const { tree, source } = make({
      ...v2Root,
      ...below(`cg/docker/${id}`, v2Files),
      ...process(`0::/docker/${id}\n`),
    });
    const usage = source.open({ id, pid: 42, cgroupParent: '' });
    expect(usage.read()?.netRxBytes).toBe(1005);
    tree.write({ 'proc/42/net/dev': 'lo: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n' });
    expect(usage.read()).toMatchObject({ netRxBytes: 1005, netTxBytes: 2007 });
  });

  it('asks the processes where the cgroup counts no I/O, and never goes back', () => {
    const folder = `docker/${id}`;
    const io = (read: number, written: number) =>
      `rchar: 9\nwchar: 9\nsyscr: 1\nsyscw: 1\nread_bytes: ${read}\nwrite_bytes: ${written}\ncancelled_write_bytes: 9\n`;
    const { tree, source } = make({
      ...v1Layout(folder),
      [`cg/blkio/${folder}/blkio.throttle.io_service_bytes`]: 'Total 0\n',
      [`cg/pids/${folder}/cgroup.procs`]: '42\n43\n44\n',
      ...process(v1Proc(folder)),
      'proc/42/io': io(10, 1),
      'proc/43/io': io(20, 2),
    });
    const usage = source.open({ id, pid: 42, cgroupParent: '' });
    expect(usage.read()).toMatchObject({ ioReadBytes: 30, ioWriteBytes: 3 });
    tree.remove('proc/43');
    expect(usage.read()).toMatchObject({ ioReadBytes: 30, ioWriteBytes: 3 });
  });

  it('reads the processes, whatever they call themselves, and none of a container that is gone', () => {
    const folder = `docker/${id}`;
    const stat = (name: string, ticks: string, start: number) =>
      `42 (${name}) S 1 42 42 0 -1 4194560 9 0 0 0 ${ticks} 7 7 20 0 1 0 ${start} 999999 3 18446744073709551615 1 1\n`;
    const { source } = make({
      ...v2Root,
      ...below(`cg/${folder}`, { ...v2Files, 'cgroup.procs': '42\n43\n44\n' }),
      ...process(`0::/${folder}\n`),
      'proc/42/stat': stat('sh', '100 50', 1000),
      'proc/42/io': 'rchar: 9\nread_bytes: 10\nwrite_bytes: 20\n',
      'proc/43/stat': stat('a) R (b 1 2', '1 1', 2000),
    });
    const usage = source.open({ id, pid: 42, cgroupParent: '' });
    const common = { atMs: expect.any(Number), rssBytes: 3 * 4096 };
    expect(usage.processes()).toEqual([
      { ...common, pid: 42, startTicks: 1000, cpuMs: 1500, ioReadBytes: 10, ioWriteBytes: 20 },
      { ...common, pid: 43, startTicks: 2000, cpuMs: 20, ioReadBytes: 0, ioWriteBytes: 0 },
    ]);
    usage[Symbol.dispose]();
    expect(usage.processes()).toEqual([]);
  });

  it('reads the node', () => {
    const { source } = make({
      'proc/stat': 'cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 10 1 5 1000 100 2 3 4 7 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nintr 5\n',
      'proc/meminfo': 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n',
      'proc/net/dev': netDev,
      'proc/self/mounts':
        '/dev/vda / ext4 rw 0 0\n/dev/vda /var/lib/docker ext4 rw 0 0\n/dev/vdb /data\\040x xfs rw 0 0\n',
      'proc/filesystems': 'nodev\tproc\n\text4\n\txfs\n',
      'sys/class/net/eth0/device/x': '',
      'sys/class/net/eth1/x': '',
      'sys/class/net/lo/x': '',
    });
    expect(source.readNode()).toEqual({
      atMs: expect.any(Number),
      cpuBusyMs: [250, 10],
      memTotalBytes: 1000 * 1024,
      memUsedBytes: 400 * 1024,
      netRxBytes: 1000,
      netTxBytes: 2000,
      diskTotalBytes: 200,
      diskUsedBytes: 80,
      disks: [
        { device: '/dev/vda', totalBytes: 100, usedBytes: 40 },
        { device: '/dev/vdb', totalBytes: 100, usedBytes: 40 },
      ],
    });
  });

  it('reads zeros of a node whose files are missing', () => {
    expect(make({ 'proc/x': '' }).source.readNode()).toMatchObject({
      cpuBusyMs: [],
      memTotalBytes: 0,
      diskTotalBytes: 0,
    });
  });
});
