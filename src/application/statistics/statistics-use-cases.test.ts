import 'reflect-metadata';
import { decode } from '@msgpack/msgpack';
import { beforeEach, describe, expect, it } from 'vitest';
import { type MeasuredKernel, StateBench } from '../../../test/support/state-bench.js';
import { settle } from '../../../test/support/manual-clock.js';
import type { AcceleratorPlugin, DeviceReading } from '../ports/accelerator-plugin.port.js';
import type { NodeReading } from '../ports/usage-source.port.js';
import { Collection } from './collection.js';
import { KernelSeries } from './kernel-series.js';
import { KernelStatistics } from './kernel-statistics.use-case.js';
import { NodeStatistics } from './node-statistics.use-case.js';
import { ProcessStatistics } from './process-statistics.use-case.js';

const never = new AbortController().signal;
const MIB = 1024 ** 2;
type Document = Record<string, Record<string, string | null>>;

const gpu = (readings: readonly DeviceReading[]): AcceleratorPlugin =>
  ({ key: 'cuda', measure: () => Promise.resolve(readings) }) as unknown as AcceleratorPlugin;
const gpuReading = (deviceId: string, used: number, load: number): DeviceReading => ({
  deviceId,
  metrics: { cuda_mem: { current: used, capacity: 100 }, cuda_util: { current: load, capacity: 100 } },
});

let bench: StateBench;
let collection: Collection;
beforeEach(() => {
  bench = new StateBench();
  collection = new Collection(bench.settings, bench.state, bench.clock, bench.telemetry, bench.logger);
});

const document = async (key: string): Promise<Document | undefined> => {
  const bytes = await bench.state.get('statistics', key);
  return bytes && (decode(bytes) as Document);
};

describe('KernelStatistics', () => {
  let series: KernelSeries;
  let statistics: KernelStatistics;
  let kernel: MeasuredKernel;
  const make = (plugins: readonly AcceleratorPlugin[] = []) => {
    const { settings, registry, clock, telemetry, logger } = bench;
    series = new KernelSeries(settings, bench.state, clock, telemetry);
    statistics = new KernelStatistics(settings, registry, plugins, collection, series, clock, logger);
    kernel = bench.addKernel(1);
  };
  const collect = () => statistics.execute(never);
  const kernelDocument = () => document(kernel.kernel.id);

  it('writes what was used since the last time, and what was used in all', async () => {
    make();
    kernel.reading = { cpuMs: 1000, memBytes: 64 * MIB, memLimitBytes: 128 * MIB, netRxBytes: 500 };
    await collect();
    expect((await kernelDocument())?.['cpu_util']).toMatchObject({ current: '0', capacity: '1000', pct: '0' });
    await bench.clock.advance(30_000);
    kernel.reading = { cpuMs: 16_000, memBytes: 32 * MIB, memLimitBytes: 128 * MIB, netRxBytes: 3500 };
    await collect();
    const now = await kernelDocument();
    expect(Object.keys(now ?? {})).toEqual([
      'cpu_util',
      'cpu_used',
      'mem',
      'io_read',
      'io_write',
      'net_rx',
      'net_tx',
      'io_scratch_size',
    ]);
    expect(now?.['cpu_util']).toMatchObject({ current: '500', pct: '50', unit_hint: 'millicores' });
    expect(now?.['cpu_used']).toMatchObject({ current: '16000', capacity: '1000' });
    expect(now?.['mem']).toEqual({
      ...{ current: String(32 * MIB), capacity: String(128 * MIB), pct: '25', unit_hint: 'bytes' },
      'stats.max': String(64 * MIB),
    });
    expect(now?.['net_rx']).toMatchObject({ current: '100', unit_hint: 'bps' });
  });

  it('writes all kernels at once, each for a day, and only those that run and can be read', async () => {
    make();
    const others = [2, 3, 4, 5].map((number) => bench.addKernel(number));
    others[1]!.kernel.become('RESTARTING');
    others[2]!.reading = undefined;
    bench.addKernel(6, { state: 'PREPARING' });
    let calls = 0;
    const setMany = bench.state.setMany.bind(bench.state);
    Object.assign(bench.state, { setMany: (...args: Parameters<typeof setMany>) => (calls++, setMany(...args)) });
    await collect();
    expect(calls).toBe(1);
    const written = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => document(bench.registry.all()[n - 1]!.kernel.id)));
    expect(written.map((each) => each !== undefined)).toEqual([true, true, false, false, true, false]);
    await bench.clock.advance(86_399_000);
    expect(await kernelDocument()).toBeDefined();
    await bench.clock.advance(1_000);
    expect(await kernelDocument()).toBeUndefined();
  });

  it('goes on after the store was away, with the newest values', async () => {
    make();
    kernel.reading = { cpuMs: 0 };
    await collect();
    bench.isAway = true;
    await bench.clock.advance(30_000);
    kernel.reading = { cpuMs: 30_000 };
    await collect();
    bench.isAway = false;
    await bench.clock.advance(30_000);
    kernel.reading = { cpuMs: 45_000 };
    await collect();
    expect((await kernelDocument())?.['cpu_util']).toMatchObject({ current: '500', 'stats.max': '45000' });
    expect(bench.counts.filter((count) => count.includes('failure'))).toEqual([
      'backendai_stat_task_failure_count agent_id=i-test stat_scope=container exception=StateStoreError',
    ]);
  });

  it('does not keep to itself what nobody foresaw', async () => {
    make([{ key: 'cuda', measure: () => Promise.reject(new RangeError('a bug')) } as unknown as AcceleratorPlugin]);
    await expect(collect()).rejects.toThrow('a bug');
    expect(bench.counts.filter((count) => count.includes('exception=RangeError'))).toHaveLength(1);
  });

  it('writes once more when the container ends, with the last that could be read', async () => {
    make();
    kernel.reading = { cpuMs: 1000 };
    await collect();
    await bench.clock.advance(10_000);
    kernel.reading = { cpuMs: 9000 };
    statistics.conclude(kernel);
    await settle();
    expect((await kernelDocument())?.['cpu_used']).toMatchObject({ current: '9000' });
    expect((await kernelDocument())?.['cpu_util']).toMatchObject({ current: '800' });
    // The end is repeated when something could not be removed: the numbers stay.
    kernel.reading = undefined;
    await bench.clock.advance(10_000);
    statistics.conclude(kernel);
    await settle();
    expect((await kernelDocument())?.['cpu_util']).toMatchObject({ current: '800' });
  });

  it('writes what was seen of a kernel that ended by itself before it was ever collected', async () => {
    make();
    kernel.reading = { cpuMs: 5 };
    statistics.begin(kernel);
    kernel.reading = undefined;
    statistics.conclude(kernel);
    await settle();
    expect((await kernelDocument())?.['cpu_used']).toMatchObject({ current: '5' });
  });

  it('never lets a store that is away disturb the end of a kernel', async () => {
    make();
    bench.isAway = true;
    statistics.conclude(kernel);
    await settle();
    expect(bench.logger.lines.map(({ level }) => level)).toEqual(['debug']);
  });

  it('writes the last numbers of kernels that ended while the store was away when it is back, and once', async () => {
    make();
    const other = bench.addKernel(2);
    bench.isAway = true;
    for (const [ended, cpuMs] of [
      [kernel, 7000],
      [other, 9000],
    ] as const) {
      ended.reading = { cpuMs };
      statistics.conclude(ended);
      ended.reading = undefined;
    }
    await collect();
    expect(bench.written).toEqual([]);
    bench.isAway = false;
    await collect();
    expect((await kernelDocument())?.['cpu_used']).toMatchObject({ current: '7000' });
    expect((await document(other.kernel.id))?.['cpu_used']).toMatchObject({ current: '9000' });
    await bench.state.delete('statistics', [kernel.kernel.id]);
    await collect();
    expect(await kernelDocument()).toBeUndefined();
  });

  it('does not put the last numbers of an earlier life in the place of those of a new one', async () => {
    make();
    bench.isAway = true;
    kernel.reading = { cpuMs: 7000 };
    statistics.conclude(kernel);
    await settle();
    bench.isAway = false;
    kernel.kernel.containerId = 'another';
    kernel.reading = { cpuMs: 10 };
    await collect();
    expect((await kernelDocument())?.['cpu_used']).toMatchObject({ current: '10' });
  });

  it('begins anew with the container of a restart', async () => {
    make();
    kernel.reading = { cpuMs: 90_000, memBytes: 500 };
    await collect();
    kernel.kernel.containerId = 'another';
    await bench.clock.advance(30_000);
    kernel.reading = { cpuMs: 10, memBytes: 20 };
    await collect();
    const now = await kernelDocument();
    expect(now?.['mem']).toMatchObject({ 'stats.max': '20' });
    expect(now?.['cpu_util']).toMatchObject({ current: '0', 'stats.max': '10' });
  });

  it('adds up the accelerators that a kernel has, and none of others', async () => {
    make([gpu([gpuReading('0', 10, 20), gpuReading('1', 5, 100), gpuReading('2', 1, 1)])]);
    kernel.kernel.allocation = { cuda: { 'cuda.device': { '0': '1', '1': '1' } } };
    await collect();
    const now = await kernelDocument();
    expect(now?.['cuda_mem']).toMatchObject({ current: '15', capacity: '200', pct: '7.5', unit_hint: 'bytes' });
    expect(now?.['cuda_util']).toMatchObject({ current: '120', capacity: '200', pct: '60', 'stats.avg': '120' });
    const exported = [...bench.gauges].filter(([name]) => name.includes('cuda_util'));
    expect(exported.map(([, value]) => value)).toEqual([120, 200]);
  });

  it('writes nothing where nobody else reads', async () => {
    make();
    Object.assign(bench.state, { isShared: false });
    await collect();
    expect(await kernelDocument()).toBeUndefined();
  });

  describe('for Prometheus', () => {
    const ofKernel = () => [...bench.gauges].filter(([name]) => name.includes(kernel.kernel.id));

    it('has raw counters under the labels that Managers ask for', () => {
      make();
      kernel.reading = { cpuMs: 1500, memBytes: 7, memLimitBytes: 9, netRxBytes: 3 };
      statistics.begin(kernel);
      const labels = `agent_id=i-test kernel_id=${kernel.kernel.id} session_id=${kernel.kernel.sessionId} user_id=user-1 project_id=undefined`;
      const value = (metric: string, type: string) =>
        bench.gauges.get(
          `backendai_container_utilization ${labels} container_metric_name=${metric} value_type=${type}`,
        );
      expect(ofKernel()).toHaveLength(10);
      expect([value('cpu_util', 'current'), value('cpu_util', 'capacity')]).toEqual([1500, 1000]);
      expect([value('mem', 'current'), value('mem', 'capacity')]).toEqual([7, 9]);
      expect([value('net_rx', 'current'), value('io_scratch_size', 'current')]).toEqual([3, 0]);
    });

    it('keeps the last values of a kernel that ended for ten minutes', async () => {
      make();
      kernel.reading = { cpuMs: 2 };
      statistics.conclude(kernel);
      series.retire(kernel.kernel.id);
      await bench.clock.advance(599_000);
      series.prune();
      expect(ofKernel()).toHaveLength(9);
      await bench.clock.advance(1_000);
      series.prune();
      expect(ofKernel()).toEqual([]);
    });

    it('keeps nothing of a kernel that ended where there is no Manager', () => {
      make();
      Object.assign(bench.state, { isShared: false });
      statistics.begin(kernel);
      expect(ofKernel()).not.toEqual([]);
      series.retire(kernel.kernel.id);
      expect(ofKernel()).toEqual([]);
    });

    it('keeps the newest of very many that ended', () => {
      make();
      const kernels = Array.from({ length: 300 }, (_, index) => bench.addKernel(index + 10));
      for (const live of kernels) statistics.begin(live);
      for (const live of kernels) series.retire(live.kernel.id);
      const left = kernels.filter(({ kernel: { id } }) => [...bench.gauges.keys()].some((name) => name.includes(id)));
      expect(left).toEqual(kernels.slice(-256));
    });

    it('does not take the series of a new kernel for those of the old one of that id', async () => {
      make();
      statistics.begin(kernel);
      series.retire(kernel.kernel.id);
      await bench.clock.advance(300_000);
      statistics.begin(kernel);
      await bench.clock.advance(600_000);
      series.prune();
      expect(ofKernel()).not.toEqual([]);
    });
  });
});

describe('ProcessStatistics', () => {
  const process = (pid: number, startTicks: number, cpuMs: number) => ({
    ...{ pid, startTicks, cpuMs, atMs: bench.clock.monotonic(), rssBytes: 4096, ioReadBytes: 1, ioWriteBytes: 2 },
  });

  it('writes the processes that are there under the id of their container', async () => {
    const kernel = bench.addKernel(1);
    bench.addKernel(2);
    const statistics = new ProcessStatistics(bench.registry, collection, bench.clock);
    kernel.processReadings = [process(100, 1, 1000), process(200, 1, 500)];
    await statistics.execute(never);
    await bench.clock.advance(30_000);
    kernel.processReadings = [process(100, 1, 31_000), process(200, 9, 700)];
    await statistics.execute(never);
    const now = (await document('c1')) as unknown as Record<number, Document>;
    expect(Object.keys(now)).toEqual(['100', '200']);
    expect(now[100]?.['cpu_util']).toMatchObject({ current: '1000', pct: '100', unit_hint: 'millicores' });
    // The same number, but another process.
    expect(now[200]?.['cpu_util']).toMatchObject({ current: '0', 'stats.max': '700' });
    expect(now[200]?.['mem']).toMatchObject({ current: '4096', capacity: '4096' });
    expect(await document('c2')).toBeUndefined();
    await bench.clock.advance(120_000);
    expect(await document('c1')).toBeUndefined();
  });
});

describe('NodeStatistics', () => {
  const reading = (changes: Partial<NodeReading>): NodeReading => ({
    ...{ atMs: bench.clock.monotonic(), cpuBusyMs: [0, 0], memTotalBytes: 1000, memUsedBytes: 250 },
    ...{ netRxBytes: 0, netTxBytes: 0, diskTotalBytes: 300, diskUsedBytes: 30 },
    disks: [
      { device: '/dev/a', totalBytes: 100, usedBytes: 10 },
      { device: '/dev/b', totalBytes: 200, usedBytes: 20 },
    ],
    ...changes,
  });

  it('writes the node and each of its devices, and forgets a device that is gone', async () => {
    let now = reading({});
    let gpus = [gpuReading('0', 10, 20), gpuReading('GPU-x', 30, 40)];
    const plugin = { key: 'cuda', measure: () => Promise.resolve(gpus) } as unknown as AcceleratorPlugin;
    const source = { readNode: () => now, open: () => ({}) as never };
    const { settings, telemetry } = bench;
    const statistics = new NodeStatistics(settings, source, [plugin], collection, telemetry);
    await statistics.execute(never);
    const first = await document('i-test');
    expect(first?.['node']?.['cpu_util']).toEqual({ current: '0', capacity: '0', pct: '0.00', unit_hint: 'msec' });
    await bench.clock.advance(30_000);
    now = reading({ cpuBusyMs: [30_000, 15_000], memUsedBytes: 200, netRxBytes: 3000 });
    gpus = [gpuReading('0', 20, 30)];
    await statistics.execute(never);
    const { node, devices } = (await document('i-test')) as unknown as {
      node: Document;
      devices: Record<string, Document>;
    };
    expect(node['cpu_util']).toEqual({ current: '45000', capacity: '30000', pct: '150', unit_hint: 'msec' });
    expect(node['mem']).toMatchObject({ current: '200', capacity: '1000', pct: '20', 'stats.max': '250' });
    expect(node['net_rx']).toEqual({ current: '100', capacity: null, pct: '0.00', unit_hint: 'bps' });
    expect(node['cuda_util']).toMatchObject({ current: '30', capacity: '100', 'stats.max': '60', 'stats.avg': '45' });
    expect(devices['cpu_util']).toMatchObject({ '0': { pct: '100' }, '1': { pct: '50' } });
    expect(devices['disk']).toMatchObject({ '/dev/a': { pct: '10' }, '/dev/b': { current: '20' } });
    expect(Object.keys(devices)).toEqual(['cpu_util', 'cuda_mem', 'cuda_util', 'mem', 'disk', 'net_rx', 'net_tx']);
    expect(Object.keys(devices['cuda_mem']!)).toEqual(['0']);
    expect([...bench.gauges.keys()].filter((name) => name.includes('GPU-x'))).toEqual([]);
    const core = 'backendai_device_utilization device_metric_name=cpu_util agent_id=i-test device_id=1 value_type=';
    expect([bench.gauges.get(`${core}current`), bench.gauges.get(`${core}capacity`)]).toEqual([15_000, 30_000]);
    await bench.clock.advance(120_000);
    expect(await document('i-test')).toBeUndefined();
  });
});
