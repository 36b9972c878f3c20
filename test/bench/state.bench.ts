import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Docker from 'dockerode';
import { Redis } from 'ioredis';
import { CgroupUsageSource } from '../../src/adapters/cgroup/cgroup-usage-source.adapter.js';
import { EmbeddedEventBus } from '../../src/adapters/embedded/embedded-event-bus.adapter.js';
import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';
import { RedisStateStore } from '../../src/adapters/redis/redis-state-store.adapter.js';
import { PrometheusTelemetry } from '../../src/adapters/telemetry/prometheus-telemetry.adapter.js';
import type { AgentSettings } from '../../src/application/agent-settings.js';
import { KernelPresence } from '../../src/application/agent/kernel-presence.use-case.js';
import { KernelRegistry } from '../../src/application/kernel/kernel-registry.js';
import { LiveKernel } from '../../src/application/kernel/live-kernel.js';
import { Collection } from '../../src/application/statistics/collection.js';
import { KernelSeries } from '../../src/application/statistics/kernel-series.js';
import { KernelStatistics } from '../../src/application/statistics/kernel-statistics.use-case.js';
import { ProcessStatistics } from '../../src/application/statistics/process-statistics.use-case.js';
import { SampleUsage } from '../../src/application/statistics/sample-usage.use-case.js';
import { Kernel } from '../../src/domain/kernel/kernel.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import { lifeOf, openSender, terminated } from '../support/event-sender.js';
import { testImage } from '../support/images.js';
import { kernelRecord } from '../support/kernel-records.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { type RedisHost, startRedisHost } from '../support/redis-host.js';
import { sleep } from '../support/sleep.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { ReaderThread } from './harness/reader-thread.js';
import { median, spread } from './harness/statistics.js';

const KERNELS = 500;
const HOUR_MS = 3_600_000;
const INTERVAL_MS = 30_000;
const SAMPLE_INTERVAL_MS = 5_000;
const PRESENCE_INTERVAL_MS = 60_000;
/** What a Manager's worker says itself. */
const READERS_COMMANDS = /^(xreadgroup|xack|xgroup|info|config|select|ping|client|hello)/;

/** A container with some processes, whose counters stand for those of every kernel. */
async function startContainer(): Promise<AsyncDisposable & { readonly id: string; readonly pid: number }> {
  const command = 'for i in 1 2 3 4; do sleep 3600 & done; wait';
  const container = await new Docker().createContainer({
    Image: await testImage('busybox'),
    Entrypoint: ['sh', '-c', command],
    Cmd: [],
  });
  await container.start();
  const { Id: id, State } = await container.inspect();
  return { id, pid: State.Pid, [Symbol.asyncDispose]: () => container.remove({ force: true }) };
}

function makeKernels(source: CgroupUsageSource, container: { readonly id: string; readonly pid: number }) {
  const registry = new KernelRegistry();
  for (let index = 0; index < KERNELS; index += 1) {
    const record = kernelRecord({ containerId: `${container.id}-${index}` });
    const kernel = Kernel.fromRecord({ ...record, spec: { ...record.spec, kernelId: parseKernelId(randomUUID()) } });
    const live = new LiveKernel(kernel);
    live.usage = source.open({ ...container, cgroupParent: '' });
    registry.add(live);
  }
  return registry;
}

interface Cycles {
  readonly cpuMs: readonly number[];
  readonly commands: number;
  readonly stallMs: number;
}

/** Runs it now and again, and looks at what it takes of this process and of Redis. */
async function measure(rounds: number, redis: Redis, work: () => Promise<void>): Promise<Cycles> {
  const total = async (): Promise<number> =>
    Number(/total_commands_processed:(\d+)/.exec(await redis.info('stats'))?.[1]);
  for (let round = 0; round < 3; round += 1) await work();
  const before = await total();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpuMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(began);
    cpuMs.push((user + system) / 1_000);
  }
  delay.disable();
  // The one that asks is one of them.
  const commands = ((await total()) - before - 1) / rounds;
  return { cpuMs, commands, stallMs: delay.percentile(99) / 1e6 };
}

function figures(
  name: string,
  intervalMs: number,
  { cpuMs, commands, stallMs }: Cycles,
  atMost = 1,
): readonly Figure[] {
  const perHour = (median(cpuMs) * HOUR_MS) / intervalMs / KERNELS;
  return [
    { name: `${name}: CPU a cycle`, value: median(cpuMs), unit: 'ms', detail: spread(cpuMs) },
    { name: `${name}: CPU a kernel and hour`, value: perHour, unit: 'ms', detail: `every ${intervalMs / 1000} s` },
    {
      name: `${name}: Redis commands a kernel and cycle`,
      value: commands / KERNELS,
      unit: 'commands',
      promise: { atMost },
      detail: `${commands} a cycle`,
    },
    { name: `${name}: event loop held up, p99`, value: stallMs, unit: 'ms' },
  ];
}

/** Calls of all commands but a reader's. */
async function calls(redis: Redis): Promise<number> {
  const lines = (await redis.info('commandstats')).matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm);
  return [...lines].reduce((sum, [, name = '', count]) => (READERS_COMMANDS.test(name) ? sum : sum + Number(count)), 0);
}

/** Every kernel is made and ends: all its events, through the outbox to a reader like a Manager's. */
async function livesFigures(server: RedisHost, redis: Redis, say: BenchContext['say']): Promise<readonly Figure[]> {
  say('events of whole lives');
  const { host, port } = server.address;
  await using reader = new ReaderThread({ host, port, batch: 64, pauseMs: 1 });
  await using sender = await openSender(server);
  await sender.bus.announce(terminated(0));
  while (sender.outbox.waiting().length > 0) await sleep(1);
  const before = await calls(redis);
  const began = performance.eventLoopUtilization();
  for (let kernel = 1; kernel <= KERNELS; kernel += 1) {
    for (const event of lifeOf(kernel)) await sender.bus.announce(event);
  }
  while (sender.outbox.waiting().length > 0) await sleep(1);
  const busyMs = performance.eventLoopUtilization(began).active;
  const events = KERNELS * lifeOf(1).length;
  if ((await reader.count('kernel_terminated')) !== KERNELS + 1) throw new Error('not all ends arrived');
  return [
    {
      name: 'events: event loop busy a kernel’s life',
      value: busyMs / KERNELS,
      unit: 'ms',
      detail: `${events} events`,
    },
    {
      name: 'events: Redis commands an event',
      value: ((await calls(redis)) - before) / events,
      unit: 'commands',
      detail: 'those within scripts as well',
    },
  ];
}

export const stateBench: Bench = {
  name: 'state',
  what: `statistics, presence and events of ${KERNELS} kernels: from a real cgroup to Redis, Prometheus and a reader`,

  async run({ quick, say }: BenchContext): Promise<readonly Figure[]> {
    const rounds = quick ? 5 : 40;
    const [clock, logger] = [new SystemClock(), new MemoryLogger()];
    await using server = await startRedisHost();
    await using container = await startContainer();
    using state = new RedisStateStore({ settings: { address: server.address }, clock, logger });
    using telemetry = new PrometheusTelemetry({ agentId: 'i-bench', logger });
    const redis = new Redis(server.port, '127.0.0.1', { replyMapping: 'legacy' });
    const scope = { enabled: true, intervalMs: INTERVAL_MS };
    const settings = {
      agentId: 'i-bench',
      statistics: { node: scope, container: scope, process: scope },
    } as unknown as AgentSettings;
    const source = new CgroupUsageSource();
    const registry = makeKernels(source, container);
    const series = new KernelSeries(settings, state, clock, telemetry);
    const collection = new Collection(settings, state, clock, telemetry, logger);
    const events = new EmbeddedEventBus({ agentId: 'i-bench', clock, logger });
    const kernels = new KernelStatistics(settings, registry, [], collection, series, clock, logger);
    const processes = new ProcessStatistics(registry, collection, clock);
    const usage = new SampleUsage(settings, registry, source, [], series, events, telemetry, clock);
    const presence = new KernelPresence(settings, registry, undefined as never, state, logger);
    const { signal } = new AbortController();
    try {
      say('documents of kernels');
      const ofKernels = await measure(rounds, redis, () => kernels.execute(signal));
      say('documents of processes');
      const ofProcesses = await measure(rounds, redis, () => processes.execute(signal));
      say('samples for Prometheus and watchers');
      const samples = await measure(rounds, redis, () => usage.kernels(signal));
      say('presence');
      const ofPresence = await measure(rounds, redis, () => presence.tell());
      if (logger.lines.length > 0) throw new Error(logger.lines[0]?.message);
      return [
        ...figures('kernel documents', INTERVAL_MS, ofKernels),
        ...figures('process documents', INTERVAL_MS, ofProcesses),
        ...figures('samples', SAMPLE_INTERVAL_MS, samples),
        // A hash and its time to live, both or none; 50 of them in a transaction.
        ...figures('presence', PRESENCE_INTERVAL_MS, ofPresence, 2.1),
        ...(await livesFigures(server, redis, say)),
      ];
    } finally {
      for (const live of registry.all()) live.usage?.[Symbol.dispose]();
      redis.disconnect();
    }
  },
};
