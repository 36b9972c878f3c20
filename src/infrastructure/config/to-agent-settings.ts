import { BlockList, isIPv6 } from 'node:net';
import type { AgentSettings } from '../../application/agent-settings.js';
import { configurationError, type ConfigProblem } from './config-problem.js';
import type { HostFacts } from './host-facts.js';
import type { LoadedConfig } from './load-config.js';
import { describeOrigin } from './origin.js';
import { uuidOfName } from './uuid-of-name.js';
import { formatHostPort, type HostPort } from './value-type.js';

/** User and group of kernels when the agent is root: never root unless it is configured. */
const UNPRIVILEGED_ID = 9001;
/** Deadline of one ordinary engine call; long ones (pull, stop) have their own. */
const ENGINE_CALL_MS = 30_000;

/** What kernels get where the agent has as much itself (lifecycle.md §1.21). */
const MAX_OPEN_FILES = 1_048_576;

const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

const ms = (seconds: number): number => Math.round(seconds * 1000);
const msOrNone = (seconds: number | null): number | null => (seconds === null ? null : ms(seconds));

/** The address to listen at: an empty host is this machine's main address. */
export function rpcListenAddress(config: LoadedConfig, host: HostFacts): HostPort {
  const address = config.values.agent['rpc-listen-addr'];
  return { host: address.host === '' ? mainAddress(config, host) : address.host, port: address.port };
}

/** Name of this agent in the cluster. */
export function agentIdOf({ values }: LoadedConfig, host: HostFacts): string {
  return values.agent.id ?? host.cloud?.instanceId ?? `i-${host.hostname}`;
}

/** The address by which the cluster reaches this machine: the one in the range that etcd names (state.md §5.4). */
function mainAddress({ cluster }: LoadedConfig, host: HostFacts): string {
  return addressIn(cluster?.subnets.agent ?? null, host) ?? host.primaryAddress;
}

/** The first own address in a range; a range of everything says nothing. */
function addressIn(range: string | null, { addresses }: HostFacts): string | undefined {
  const [network = '', bits = '0'] = range?.split('/') ?? [];
  if (Number(bits) === 0) return undefined;
  const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');
  const list = new BlockList();
  list.addSubnet(network, Number(bits), familyOf(network));
  return addresses.find((address) => list.check(address, familyOf(address)));
}

/** What the core needs to know. Throws a ConfigurationError for a user or group name that this host does not know. */
export function toAgentSettings(config: LoadedConfig, host: HostFacts, version: string): AgentSettings {
  const { agent, container, resource, api, debug, watcher } = config.values;
  const lifecycles = config.values['kernel-lifecycles'];
  const reachable = (name: string): string => (WILDCARDS.has(name) ? mainAddress(config, host) : name);
  const rpc = rpcListenAddress(config, host);
  const bindHost =
    container['bind-host'] === ''
      ? (addressIn(config.cluster?.subnets.container ?? null, host) ?? rpc.host)
      : container['bind-host'];
  const advertisedHost = container['advertised-host'] ?? reachable(bindHost);
  const advertisedRpc = agent['advertised-rpc-addr'] ?? { host: reachable(rpc.host), port: rpc.port };
  const identity = kernelIdentity(config, host);
  const internal = agent['internal-addr'] ?? watcher['service-addr'];
  const announcedHttp = agent['announce-internal-addr'] ?? { host: advertisedRpc.host, port: internal.port };
  const metric = (kind: 'node' | 'container' | 'process') => ({
    enabled: agent[`utilization-metric.${kind}.enable`],
    intervalMs: ms(agent[`utilization-metric.${kind}.interval`]),
  });

  return {
    agentId: agentIdOf(config, host),
    version,
    region: agent.region ?? host.cloud?.region ?? 'local',
    architecture: host.architecture,
    resourceGroup: agent['initial-resource-group-name'],
    advertisedRpcAddress: `tcp://${formatHostPort(advertisedRpc)}`,
    publicHost: agent['public-host'] ?? advertisedHost,
    rpcPublicKey: null,
    heartbeatIntervalMs: ms(debug['heartbeat-interval']),
    usageIntervalMs: ms(watcher['usage-interval']),
    reconcileIntervalMs: agent['sync-container-lifecycles.enabled']
      ? ms(agent['sync-container-lifecycles.interval'])
      : 0,
    kernelCreationConcurrency: agent['kernel-creation-concurrency'],
    eventWire: agent['event-wire'],
    cohabitingStorageProxy: agent['cohabiting-storage-proxy'],
    container: {
      bindHost,
      // Containers of a storage group have the folders of their users: their terminals are nobody else's.
      loopbackServices: agent['scaling-group-type'] === 'storage' ? ['ttyd'] : [],
      advertisedHost,
      ...identity,
      portRange: container['port-range'],
      portCooldownMs: ms(container['port-reuse-cooldown-sec']),
      pidsLimit: container['pids-limit'],
      alternativeBridge: container['alternative-bridge'],
      logDriver: config.values['container-logs'].driver,
      logMaxLengthBytes: config.values['container-logs']['max-length'],
      logChunkBytes: config.values['container-logs']['chunk-size'],
      openFilesLimit: Math.min(MAX_OPEN_FILES, host.openFilesLimit),
      timeZoneFiles: host.timeZoneFiles,
      protectedPaths: [
        ...[container['scratch-root'], agent['ipc-base-path'], agent['var-base-path']],
        agent['image-commit-path'],
      ],
    },
    statistics: {
      node: metric('node'),
      container: metric('container'),
      process: metric('process'),
    },
    imageCommitPath: agent['image-commit-path'],
    abuseReportPath: agent['abuse-report-path'],
    endsAbusers: agent['force-terminate-abusing-containers'],
    announcedHttpAddress: formatHostPort(announcedHttp),
    serviceDiscovery: serviceDiscovery(config, host, formatHostPort(announcedHttp)),
    watcher: {
      targetService: watcher['target-service'],
      softResetAvailable: watcher['soft-reset-available'],
      port: watcher['service-addr'].port,
    },
    resource: {
      reservedCpu: resource['reserved-cpu'],
      reservedMemBytes: resource['reserved-mem'],
      memoryAlignBytes: resource['memory-align-size'],
      allocationOrder: resource['allocation-order'],
      affinityPolicy: resource['affinity-policy'],
    },
    timeouts: {
      pullMs: msOrNone(api['pull-timeout']),
      initMs: ms(lifecycles['init-timeout-sec']),
      stopGraceMs: ms(lifecycles['stop-grace-sec']),
      engineCallMs: ENGINE_CALL_MS,
      commitMs: msOrNone(api['commit-timeout']),
      pushMs: msOrNone(api['push-timeout']),
    },
  };
}

function kernelIdentity(config: LoadedConfig, host: HostFacts): { readonly uid: number; readonly gid: number } {
  const problems: ConfigProblem[] = [];
  const resolve = (
    key: 'kernel-uid' | 'kernel-gid',
    own: number,
    lookUp: (name: string) => number | undefined,
  ): number => {
    const value = config.values.container[key];
    // Root's identity as the agent's own would make every kernel root.
    if (value === -1) return host.uid === 0 ? UNPRIVILEGED_ID : own;
    if (typeof value === 'number') return value;
    const id = lookUp(value);
    if (id !== undefined) return id;
    const path = `container.${key}`;
    const where = describeOrigin(config.origins.get(path) ?? { kind: 'default' });
    problems.push({
      where,
      key: path,
      value: JSON.stringify(value),
      detail: 'no such name on this host',
      allowed: 'a number, -1, or a known name',
    });
    return UNPRIVILEGED_ID;
  };
  const identity = {
    uid: resolve('kernel-uid', host.uid, (name) => host.userId(name)),
    gid: resolve('kernel-gid', host.gid, (name) => host.groupId(name)),
  };
  if (problems.length > 0) throw configurationError(problems);
  return identity;
}

function serviceDiscovery(config: LoadedConfig, host: HostFacts, address: string): AgentSettings['serviceDiscovery'] {
  const section = config.values['service-discovery'];
  const agentId = agentIdOf(config, host);
  return {
    id: uuidOfName(`agent/${address}`),
    type: section.type,
    group: section['service-group'],
    instanceId: section['instance-id'] ?? agentId,
    displayName: section['display-name'] ?? `agent-${agentId}`,
    labels: section['extra-labels'],
    endpoints: section.endpoints,
  };
}
