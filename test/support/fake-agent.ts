import 'reflect-metadata';
import { Container } from 'inversify';
import { EmbeddedClusterMessages } from '../../src/adapters/embedded/embedded-cluster-messages.adapter.js';
import { EmbeddedConfigSource } from '../../src/adapters/embedded/embedded-config-source.adapter.js';
import { EmbeddedEventBus } from '../../src/adapters/embedded/embedded-event-bus.adapter.js';
import { EmbeddedStateStore } from '../../src/adapters/embedded/embedded-state-store.adapter.js';
import { ZlibLogChunkCodec } from '../../src/adapters/host/zlib-log-chunk-codec.adapter.js';
import { SystemIdGenerator } from '../../src/adapters/host/system-id-generator.adapter.js';
import { Readiness } from '../../src/application/agent/readiness.js';
import { SendHeartbeat } from '../../src/application/agent/send-heartbeat.use-case.js';
import type { AgentSettings } from '../../src/application/agent-settings.js';
import { BackgroundTasks } from '../../src/application/background-task/background-tasks.js';
import { CommitKernel } from '../../src/application/image/commit-kernel.use-case.js';
import { HandleEngineEvent } from '../../src/application/kernel/handle-engine-event.use-case.js';
import { ReconcileKernels } from '../../src/application/kernel/reconcile-kernels.use-case.js';
import { ClusterNetworks } from '../../src/application/network/cluster-networks.js';
import type { AcceleratorPlugin } from '../../src/application/ports/accelerator-plugin.port.js';
import type { MovedTo } from '../../src/application/ports/resource-group-store.port.js';
import { SampleUsage } from '../../src/application/statistics/sample-usage.use-case.js';
import { type CreatedKernel, UseCases } from '../../src/application/use-cases.js';
import { type AgentEvent, type AgentEventBodies, kernelOf } from '../../src/domain/event/agent-event.js';
import { careOf } from '../../src/domain/event/event-care.js';
import { LABELS } from '../../src/domain/kernel/container-labels.js';
import { type KernelId, parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { ResourceBook } from '../../src/domain/resource/allocator.js';
import { PortPool } from '../../src/domain/service-port/port-pool.js';
import { drivenAdaptersModule } from '../../src/infrastructure/modules/driven-adapters.module.js';
import { useCasesModule } from '../../src/infrastructure/modules/use-cases.module.js';
import { FakeContainerEngine } from './fake-container-engine.js';
import {
  MachinePorts,
  MachineRunners,
  MachineUsage,
  memoryHostPaths,
  memoryPlugin,
  memoryRuntime,
  noServiceManager,
  noVolumeMounts,
  silentTelemetry,
} from './fake-node.js';
import { kernelSpec } from './kernel-records.js';
import { ManualClock, settle } from './manual-clock.js';
import { MemoryKernelFiles } from './memory-kernel-files.js';
import { MemoryCommitStore } from './memory-commit-store.js';
import { MemoryKernelStore } from './memory-kernel-store.js';
import { MemoryLogger } from './memory-logger.js';
import { MemoryScratchStore } from './memory-scratch-store.js';
import { MemoryTaskJournal } from './memory-task-journal.js';
import { ProcessBoundary } from './process-boundary.js';

export const CORES = 8;
export const MEMORY_BYTES = 8 * 1024 ** 3;
const LONGEST_STEP_MS = 30_000;
const PATIENCE_MS = 3 * 3_600_000;

export const SETTINGS: AgentSettings = {
  ...{ agentId: 'i-fake', version: '0', region: null, architecture: 'x86_64', resourceGroup: null },
  ...{ advertisedRpcAddress: 'tcp://127.0.0.1:6011', publicHost: '127.0.0.1', rpcPublicKey: null },
  ...{ heartbeatIntervalMs: 20_000, usageIntervalMs: 5_000, reconcileIntervalMs: 10_000, kernelCreationConcurrency: 4 },
  ...{ eventWire: 'auto', cohabitingStorageProxy: true },
  container: {
    ...{ bindHost: '0.0.0.0', loopbackServices: [], advertisedHost: '127.0.0.1', uid: 9001, gid: 9001 },
    // No cool-down: a port that is given back too early is at once given to somebody else.
    ...{ portRange: [30_000, 30_199], portCooldownMs: 0, pidsLimit: 100, openFilesLimit: 1024 },
    ...{ alternativeBridge: null, logDriver: 'local', logMaxLengthBytes: 1_000_000, logChunkBytes: 65_536 },
    ...{ timeZoneFiles: [], protectedPaths: [] },
  },
  resource: {
    ...{ reservedCpu: 0, reservedMemBytes: 0, memoryAlignBytes: 0, allocationOrder: ['cpu', 'mem'] },
    affinityPolicy: 'INTERLEAVED',
  },
  timeouts: { pullMs: 600_000, initMs: 30_000, stopGraceMs: 5_000, engineCallMs: 60_000, commitMs: null, pushMs: null },
  statistics: {
    node: { enabled: true, intervalMs: 30_000 },
    container: { enabled: true, intervalMs: 30_000 },
    process: { enabled: true, intervalMs: 30_000 },
  },
  ...{
    imageCommitPath: '/tmp/commit',
    abuseReportPath: null,
    endsAbusers: false,
    announcedHttpAddress: '127.0.0.1:6009',
  },
  serviceDiscovery: {
    ...{
      id: 'c259eff0-ea81-558c-a5d5-a13c814f4209',
      type: 'redis',
      group: null,
      instanceId: 'i-fake',
      displayName: 'agent-i-fake',
    },
    ...{ labels: {}, endpoints: [] },
  },
  watcher: { targetService: 'backendai-agent.service', softResetAvailable: false, port: 6009 },
};

/** What outlives an agent: the engine, the disk, the time, and those who hear its events. */
export class FakeMachine {
  readonly clock = new ManualClock();
  readonly engine = new FakeContainerEngine({ clock: this.clock });
  readonly scratch = new MemoryScratchStore();
  readonly files = new MemoryKernelFiles();
  readonly records = new MemoryKernelStore();
  readonly tasks = new MemoryTaskJournal();
  readonly commits = new MemoryCommitStore();
  /** Devices besides cpu and mem, for agents that start from now on. */
  plugins: readonly AcceleratorPlugin[] = [];
  /** Where the agent was moved to. */
  movedTo: MovedTo | undefined;
  readonly ports = new MachinePorts(this.engine);
  readonly runners = new MachineRunners(this.engine, this.clock);
  readonly usage = new MachineUsage();
  readonly logger = new MemoryLogger();
  /** Events of all agents that lived here, in order. */
  readonly told: AgentEvent[] = [];
  readonly settings: AgentSettings;

  constructor(changes: Partial<AgentSettings> = {}) {
    this.settings = { ...SETTINGS, ...changes };
    this.engine.images.add('python:3.11');
    this.engine.onStart = ({ spec }) => {
      const held = spec.ports.find(({ hostPort }) => this.ports.memory.held.has(hostPort));
      if (held) throw new Error(`the agent still holds port ${held.hostPort}`);
    };
  }

  /** Starts an agent; what an earlier one left is recovered. */
  async boot(): Promise<FakeAgent> {
    const agent = await FakeAgent.make(this);
    await this.finish(agent.recover());
    await this.finish(agent.recoverTasks());
    return agent;
  }

  /** Lets time pass until `work` is done. */
  async finish<T>(work: Promise<T>): Promise<T> {
    const state = { isDone: false };
    const end = () => void (state.isDone = true);
    work.then(end, end);
    await settle();
    for (let step = 5, passed = 0; !state.isDone; step = Math.min(2 * step, LONGEST_STEP_MS)) {
      if (passed > PATIENCE_MS) throw new Error('it hangs');
      await this.clock.advance(step);
      await settle();
      passed += step;
    }
    return work;
  }

  /**
   * Where an agent that starts now announces its events. Like the outbox it knows which kernels earlier lives told to have
   * ended, and tells nothing of them again; what one life tells twice is heard twice.
   */
  outbox(): (event: AgentEvent) => void {
    const ended = new Set<KernelId>();
    for (const event of this.told) {
      const id = kernelOf(event);
      if (id !== undefined && event.name === 'kernel_terminated') ended.add(id);
      if (id !== undefined && event.name === 'kernel_preparing') ended.delete(id);
    }
    return (event) => {
      const id = kernelOf(event);
      if (id !== undefined && event.name === 'kernel_preparing') ended.delete(id);
      const isAnswer = event.name === 'kernel_terminated' && event.body.reason === 'already-terminated';
      if (id !== undefined && ended.has(id) && careOf(event.name) === 'kept' && !isAnswer) return;
      this.told.push(event);
    };
  }

  eventsOf(kernelId: KernelId): string[] {
    return this.told.flatMap((event) =>
      'kernel_id' in event.body && event.body.kernel_id === kernelId ? [event.name] : [],
    );
  }

  terminations(kernelId: KernelId): readonly AgentEventBodies['kernel_terminated'][] {
    return this.told.flatMap((event) =>
      event.name === 'kernel_terminated' && event.body.kernel_id === kernelId ? [event.body] : [],
    );
  }

  /** Whatever of kernels there is on the machine, in words. */
  async leftovers(): Promise<readonly string[]> {
    const { containers, networks } = this.engine.leftovers();
    const { records } = await this.records.load();
    return [
      ...containers.map((name) => `container ${name}`),
      ...networks.map((name) => `network ${name}`),
      ...[...this.scratch.scratches.keys()].map((id) => `scratch ${id}`),
      ...records.map(({ spec }) => `record ${spec.kernelId}`),
      ...[...this.ports.memory.held].map((port) => `bound port ${port}`),
      ...[...this.runners.open].map(() => 'runner connection'),
      ...[...this.usage.opened].map((id) => `open counters of ${id}`),
    ];
  }
}

/** The real application layer on a fake machine: one process, which can be killed. */
export class FakeAgent {
  readonly boundary = new ProcessBoundary();
  readonly useCases: UseCases;
  readonly #container = new Container();
  readonly #signal = new AbortController();

  private constructor(
    private readonly machine: FakeMachine,
    private readonly book: ResourceBook,
    plugins: readonly AcceleratorPlugin[],
  ) {
    const { clock, logger, settings } = machine;
    const bus = new EmbeddedEventBus({ agentId: settings.agentId, clock, logger });
    const outbox = machine.outbox();
    bus.subscribe(({ event }) => outbox(event));
    this.boundary.onKill(() => this.#signal.abort());
    this.#container.load(
      drivenAdaptersModule({
        ...{ settings, clock, logger, plugins, book, telemetry: silentTelemetry, runtime: memoryRuntime },
        ids: new SystemIdGenerator(),
        events: this.boundary.wrap('events', bus),
        messages: new EmbeddedClusterMessages(),
        state: new EmbeddedStateStore(clock),
        configSource: new EmbeddedConfigSource(),
        engine: this.boundary.wrap('engine', machine.engine),
        runners: { connect: (address) => this.#closingOnKill(machine.runners.connect(address)) },
        scratch: this.boundary.wrap('scratch', machine.scratch),
        kernelFiles: machine.files,
        kernels: this.boundary.wrap('records', machine.records),
        tasks: this.boundary.wrap('tasks', machine.tasks),
        commits: this.boundary.wrap('commits', machine.commits),
        resourceGroups: {
          load: () => Promise.resolve(machine.movedTo),
          save: (move) => Promise.resolve(void (machine.movedTo = move)),
        },
        usage: { open: (container) => this.#openUsage(container), readNode: () => machine.usage.readNode() },
        hostPorts: this.boundary.wrap('ports', {
          hold: (port: number) => this.#closingOnKill(machine.ports.hold(port)),
        }),
        hostPaths: memoryHostPaths,
        abuseReports: { list: () => Promise.resolve([]), remove: () => Promise.resolve() },
        logChunks: new ZlibLogChunkCodec(),
        hostServices: noServiceManager,
        volumeMounts: noVolumeMounts,
        portPool: new PortPool(settings.container.portRange, settings.container.portCooldownMs),
        dependencies: [],
      }),
      useCasesModule,
    );
    this.useCases = this.#container.get<UseCases>(UseCases);
  }

  static async make(machine: FakeMachine): Promise<FakeAgent> {
    const cores = Object.fromEntries(Array.from({ length: CORES }, (_, core) => [String(core), '1']));
    const plugins = [
      ...machine.plugins,
      memoryPlugin('cpu', 'count', { kind: 'discrete', strategy: 'EVENLY' }, cores),
      memoryPlugin('mem', 'bytes', { kind: 'discrete', strategy: 'FILL' }, { root: String(MEMORY_BYTES) }),
    ];
    const { resource } = machine.settings;
    const book = new ResourceBook({
      supplies: await Promise.all(
        plugins.map(async (plugin) => ({
          ...{ deviceName: plugin.key, slotTypes: plugin.slotTypes, sharing: plugin.sharing },
          devices: await plugin.discover({ signal: new AbortController().signal }),
        })),
      ),
      reserved: {},
      memoryAlignBytes: resource.memoryAlignBytes,
      allocationOrder: resource.allocationOrder,
      affinityPolicy: resource.affinityPolicy,
    });
    return new FakeAgent(machine, book, plugins);
  }

  async recover(): Promise<void> {
    await this.#container.get(ReconcileKernels).recover(this.#signal.signal);
    this.#container.get(Readiness).ready = true;
    void this.#watch();
  }

  kill(): void {
    this.boundary.kill();
  }

  create(spec: KernelSpec = kernelSpec(), signal = new AbortController().signal): Promise<CreatedKernel> {
    return this.useCases.createKernel(spec, signal);
  }

  destroy(kernelId: KernelId, suppressEvents = false): Promise<void> {
    const { sessionId } = kernelSpec();
    const request = { kernelId, sessionId, reason: 'user-requested', suppressEvents } as const;
    return this.useCases.destroyKernel(request, new AbortController().signal);
  }

  restart(kernelId: KernelId, signal = new AbortController().signal): Promise<CreatedKernel> {
    return this.useCases.restartKernel(kernelId, signal);
  }

  async reconcile(): Promise<readonly string[]> {
    const steps = await this.machine.finish(this.#container.get(ReconcileKernels).execute(this.#signal.signal));
    return steps.map(({ type }) => type);
  }

  tidyNetworks(): Promise<void> {
    return this.machine.finish(this.#container.get(ClusterNetworks).tidy(this.#signal.signal));
  }

  heartbeat(): Promise<void> {
    return this.#container.get(SendHeartbeat).execute();
  }

  /** What an agent does at its start about the background tasks of an earlier one. */
  async recoverTasks(): Promise<void> {
    await this.#container.get(BackgroundTasks).recover();
    await this.#container.get(CommitKernel).recover(this.#signal.signal);
  }

  sweepCommits(): Promise<void> {
    return this.machine.finish(this.#container.get(CommitKernel).sweep(this.#signal.signal));
  }

  /** What stopping the agent does to its background tasks. */
  stopTasks(): Promise<void> {
    return this.#container.get(BackgroundTasks).stop();
  }

  sample(): Promise<void> {
    return this.#container.get(SampleUsage).kernels();
  }

  /** What the books hold beyond what the listed kernels have, in words; nothing if they agree. */
  disagreements(): readonly string[] {
    const { slots, ports } = this.useCases.status();
    const kernels = this.useCases.listKernels();
    const held = { cpu: 0, mem: 0 };
    let heldPorts = 0;
    for (const { kernelId, servicePorts } of kernels) {
      const allocation = this.book.allocationOf(kernelId) ?? {};
      for (const slot of ['cpu', 'mem'] as const) {
        for (const amount of Object.values(allocation[slot]?.[slot] ?? {})) held[slot] += Number(amount);
      }
      heldPorts += servicePorts.flatMap(({ hostPorts }) => hostPorts).length;
    }
    const problems: string[] = [];
    const running = this.machine.engine.containers().filter(({ isRunning }) => isRunning);
    for (const { labels } of running) {
      const kernelId = parseKernelId(labels[LABELS.kernelId] ?? '');
      if (!this.book.allocationOf(kernelId)) problems.push(`the container of ${kernelId} runs on cores of nobody`);
    }
    const bound = new Set(running.flatMap(({ spec }) => spec.ports.map(({ hostPort }) => hostPort))).size;
    if (bound > ports.used) problems.push(`containers use ${bound} ports, ${ports.used} are booked`);
    for (const [slot, all] of [
      ['cpu', CORES],
      ['mem', MEMORY_BYTES],
    ] as const) {
      const [occupied, available] = [Number(slots.occupied[slot]), Number(slots.available[slot])];
      if (occupied !== held[slot]) problems.push(`${slot}: ${occupied} booked, kernels hold ${held[slot]}`);
      if (available < 0 || available + occupied !== all) problems.push(`${slot}: ${available} available`);
    }
    const isQuiet = kernels.every(({ state }) => state === 'RUNNING');
    if (isQuiet && ports.used !== heldPorts + 2 * kernels.length) {
      problems.push(`${ports.used} ports booked, kernels have ${heldPorts} and ${2 * kernels.length}`);
    }
    return problems;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#signal;
    const handler = this.#container.get(HandleEngineEvent);
    for await (const event of this.machine.engine.watchEvents(this.machine.clock.now(), { signal })) {
      if (this.boundary.isAlive) handler.execute(event);
    }
  }

  /** The operating system closes what a dead process had open. */
  async #closingOnKill<T extends AsyncDisposable | undefined>(opening: Promise<T>): Promise<T> {
    const open = await opening;
    if (open) this.boundary.onKill(() => void open[Symbol.asyncDispose]());
    return open;
  }

  #openUsage(container: { readonly id: string; readonly pid: number; readonly cgroupParent: string }) {
    const usage = this.machine.usage.open(container);
    this.boundary.onKill(() => usage[Symbol.dispose]());
    return usage;
  }
}

export function kernelIdOf(number: number): KernelId {
  return parseKernelId(`7f3d2c1b-0000-4000-8000-${String(number).padStart(12, '0')}`);
}

/** How a promise ended, without rejecting. */
export async function outcomeOf(work: Promise<unknown>): Promise<'done' | Error> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error as Error;
  }
}
