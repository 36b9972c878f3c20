import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { overcommitFactor } from '../../adapters/accelerator/host-files.js';
import { CpuAccelerator } from '../../adapters/accelerator/cpu/cpu-accelerator.adapter.js';
import { MemAccelerator } from '../../adapters/accelerator/mem/mem-accelerator.adapter.js';
import { MockAccelerator } from '../../adapters/accelerator/mock/mock-accelerator.adapter.js';
import { CgroupUsageSource } from '../../adapters/cgroup/cgroup-usage-source.adapter.js';
import { DockerContainerEngine } from '../../adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../../adapters/docker/docker-endpoint.js';
import { EmbeddedClusterMessages } from '../../adapters/embedded/embedded-cluster-messages.adapter.js';
import { EmbeddedConfigSource } from '../../adapters/embedded/embedded-config-source.adapter.js';
import { EmbeddedEventBus } from '../../adapters/embedded/embedded-event-bus.adapter.js';
import { EmbeddedStateStore } from '../../adapters/embedded/embedded-state-store.adapter.js';
import { FileCommitStore } from '../../adapters/host/file-commit-store.adapter.js';
import { FileAbuseReports } from '../../adapters/host/file-abuse-reports.adapter.js';
import { FileKernelStore } from '../../adapters/host/file-kernel-store.adapter.js';
import { FileOutbox } from '../../adapters/host/file-outbox.adapter.js';
import { FileTaskJournal } from '../../adapters/host/file-task-journal.adapter.js';
import { FileResourceGroupStore } from '../../adapters/host/file-resource-group-store.adapter.js';
import { FsHostPaths } from '../../adapters/host/fs-host-paths.adapter.js';
import { SystemClock } from '../../adapters/host/system-clock.adapter.js';
import { SystemIdGenerator } from '../../adapters/host/system-id-generator.adapter.js';
import { SystemdServices } from '../../adapters/host/systemd-services.adapter.js';
import { KernelVolumeMounts } from '../../adapters/storage/kernel-volume-mounts.adapter.js';
import { TcpHostPorts } from '../../adapters/host/tcp-host-ports.adapter.js';
import { ZlibLogChunkCodec } from '../../adapters/host/zlib-log-chunk-codec.adapter.js';
import { ZeroMqKernelRunnerConnector } from '../../adapters/kernel-runner/zeromq-kernel-runner-connector.adapter.js';
import { NodeRunnerRuntime } from '../../adapters/runner-runtime/node-runner-runtime.adapter.js';
import { HostKernelFiles } from '../../adapters/scratch/host-kernel-files.adapter.js';
import { HostScratchStore } from '../../adapters/scratch/host-scratch-store.adapter.js';
import { PrometheusTelemetry } from '../../adapters/telemetry/prometheus-telemetry.adapter.js';
import type { Dependencies } from '../../application/agent/health-monitor.js';
import { findManager } from '../../application/agent/await-manager.js';
import type { AgentSettings } from '../../application/agent-settings.js';
import type { AcceleratorPlugin } from '../../application/ports/accelerator-plugin.port.js';
import type { Call } from '../../application/ports/call.js';
import type { ConfigSource } from '../../application/ports/config-source.port.js';
import type { StateRole, StateStore } from '../../application/ports/state-store.port.js';
import type { EngineInfo } from '../../application/ports/container-engine.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import { ResourceBook } from '../../domain/resource/allocator.js';
import { PortPool } from '../../domain/service-port/port-pool.js';
import type { DaemonSettings } from '../config/to-daemon-settings.js';
import type { DrivenAdapters } from './driven-adapters.module.js';

/** The built runner stands beside the built agent. */
const RUNNER_BUNDLE = fileURLToPath(new URL('../../runner', import.meta.url));

export interface MadeAdapters extends DrivenAdapters, AsyncDisposable {
  readonly telemetry: PrometheusTelemetry;
}

/** Connects the engine, looks at the devices, and makes the real adapters; nothing is changed on the machine. */
export async function makeDrivenAdapters(
  configured: AgentSettings,
  daemon: DaemonSettings,
  logger: Logger,
  call: Call,
  configSource?: ConfigSource,
): Promise<MadeAdapters> {
  const clock = new SystemClock();
  const endpoint = await findDockerEndpoint();
  const engine = new DockerContainerEngine({ endpoint });
  const settings = await withProtectedPaths(configured, endpoint.kind === 'unix' ? [endpoint.socketPath] : []);
  const info = await engine.info(call);
  const plugins = acceleratorPlugins(daemon, info);
  const telemetry = new PrometheusTelemetry({ agentId: settings.agentId, logger });
  const local = new EmbeddedEventBus({ agentId: settings.agentId, clock, logger });
  const tools = { clock, logger, telemetry };
  const redis = daemon.redis ? await redisAdapters(settings, daemon, daemon.redis, local, tools) : null;
  return {
    settings,
    clock,
    ids: new SystemIdGenerator(),
    logger,
    telemetry,
    events: redis?.events ?? local,
    messages: redis?.messages ?? new EmbeddedClusterMessages(),
    state: redis?.state ?? new EmbeddedStateStore(clock),
    configSource: configSource ?? new EmbeddedConfigSource(),
    engine,
    runtime: new NodeRunnerRuntime({ runtimeRoot: daemon.paths.runtime, bundleDirectory: RUNNER_BUNDLE }),
    runners: new ZeroMqKernelRunnerConnector(logger),
    scratch: new HostScratchStore({ root: daemon.paths.scratchRoot, owner: settings.agentId }),
    kernelFiles: new HostKernelFiles(),
    kernels: new FileKernelStore(join(daemon.paths.varBase, 'kernels')),
    tasks: new FileTaskJournal(join(daemon.paths.varBase, 'tasks')),
    commits: new FileCommitStore({ root: settings.imageCommitPath, owner: settings.agentId }),
    resourceGroups: new FileResourceGroupStore(join(daemon.paths.varBase, 'resource-group.json')),
    usage: new CgroupUsageSource(),
    hostPorts: new TcpHostPorts(),
    hostPaths: new FsHostPaths(),
    hostServices: new SystemdServices(),
    volumeMounts: new KernelVolumeMounts(),
    abuseReports: new FileAbuseReports(settings.abuseReportPath),
    logChunks: new ZlibLogChunkCodec(),
    plugins,
    book: await resourceBook(settings, plugins, call),
    portPool: new PortPool(settings.container.portRange, settings.container.portCooldownMs),
    dependencies: [
      { group: 'container', component: 'docker', probe: (signal) => engine.info({ signal }) },
      ...(redis ? redisDependencies(redis.state) : []),
      ...(configSource ? clusterDependencies(configSource, daemon.needsManager) : []),
    ],
    [Symbol.asyncDispose]: async () => {
      await redis?.messages[Symbol.asyncDispose]();
      await redis?.events[Symbol.asyncDispose]();
      await redis?.outbox[Symbol.asyncDispose]();
      redis?.state[Symbol.dispose]();
      telemetry[Symbol.dispose]();
    },
  };
}

/** Component names of state.md §9.2; the last two are not watched by the reference, which uses them as well. */
function redisDependencies(state: StateStore): Dependencies {
  const roles: Readonly<Record<string, StateRole>> = {
    ...{ stat: 'statistics', stream: 'stream', bgtask: 'bgtask', container_log: 'container_log' },
    ...{ live: 'live', image: 'image' },
  };
  return Object.entries(roles).map(([component, role]) => ({
    group: 'redis',
    component,
    probe: () => state.probe(role),
  }));
}

function clusterDependencies(source: ConfigSource, needsManager: boolean): Dependencies {
  const etcd = { group: 'etcd', component: 'etcd', probe: (signal: AbortSignal) => source.probe(signal) };
  const manager = {
    group: 'manager',
    component: 'registered',
    probe: (signal: AbortSignal) => findManager(source, signal),
  };
  return needsManager ? [etcd, manager] : [etcd];
}

/** No kernel may mount the engine's socket, nor the agent's own roots by another name. */
async function withProtectedPaths(settings: AgentSettings, more: readonly string[]): Promise<AgentSettings> {
  const paths = [...settings.container.protectedPaths, ...more];
  const real = await Promise.all(paths.map((path) => realpath(path).catch(() => path)));
  return { ...settings, container: { ...settings.container, protectedPaths: [...new Set([...paths, ...real])] } };
}

/** Events and state for a cluster; the local bus still serves watchers of this node. Only then is Redis' client read. */
async function redisAdapters(
  settings: AgentSettings,
  daemon: DaemonSettings,
  redis: NonNullable<DaemonSettings['redis']>,
  local: EmbeddedEventBus,
  tools: { readonly clock: SystemClock; readonly logger: Logger; readonly telemetry: PrometheusTelemetry },
) {
  const { RedisEventBus } = await import('../../adapters/redis/redis-event-bus.adapter.js');
  const { RedisClusterMessages } = await import('../../adapters/redis/redis-cluster-messages.adapter.js');
  const { RedisStateStore } = await import('../../adapters/redis/redis-state-store.adapter.js');
  const path = join(daemon.paths.varBase, 'outbox');
  const outbox = await FileOutbox.open({ path, ids: new SystemIdGenerator(), ...tools });
  const { agentId, resourceGroup, advertisedRpcAddress: rpcAddress, eventWire: wire } = settings;
  const sender = { agentId, resourceGroup, rpcAddress };
  return {
    outbox,
    events: new RedisEventBus({ settings: redis, sender, wire, outbox, local, ...tools }),
    messages: new RedisClusterMessages({ settings: redis, ...tools }),
    state: new RedisStateStore({ settings: redis, ...tools }),
  };
}

/** Intrinsic plug-ins come last (lifecycle.md §6.2). */
function acceleratorPlugins(daemon: DaemonSettings, info: EngineInfo): readonly AcceleratorPlugin[] {
  const roots = {
    procRoot: '/proc',
    sysRoot: '/sys',
    cgroupRoot: '/sys/fs/cgroup',
    cgroupDriver: info.cgroupDriver,
  };
  const intrinsic = [
    new CpuAccelerator(roots, overcommit('BACKEND_CPU_OVERCOMMIT_FACTOR')),
    new MemAccelerator(roots, overcommit('BACKEND_MEM_OVERCOMMIT_FACTOR')),
  ];
  return daemon.mockAccelerator ? [mockAccelerator(daemon.mockAccelerator), ...intrinsic] : intrinsic;
}

function mockAccelerator(mock: NonNullable<DaemonSettings['mockAccelerator']>): AcceleratorPlugin {
  return new MockAccelerator({
    key: mock.slot.split('.', 1)[0] ?? 'mock',
    mode: mock.fractional ? 'shares' : 'device',
    devices: [...mock.devices],
    quantum: mock.quantum as '0.1',
  });
}

function overcommit(variable: string): number {
  return overcommitFactor(process.env[variable], variable);
}

async function resourceBook(
  settings: AgentSettings,
  plugins: readonly AcceleratorPlugin[],
  call: Call,
): Promise<ResourceBook> {
  const { resource } = settings;
  return new ResourceBook({
    supplies: await Promise.all(
      plugins.map(async (plugin) => ({
        deviceName: plugin.key,
        slotTypes: plugin.slotTypes,
        sharing: plugin.sharing,
        devices: await plugin.discover(call),
      })),
    ),
    reserved: { cpu: String(resource.reservedCpu), mem: String(resource.reservedMemBytes) },
    memoryAlignBytes: resource.memoryAlignBytes,
    allocationOrder: resource.allocationOrder,
    affinityPolicy: resource.affinityPolicy,
  });
}
