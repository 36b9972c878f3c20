import type { AgentSettings } from '../../application/agent-settings.js';
import { configurationError, type ConfigProblem } from './config-problem.js';
import type { HostFacts } from './host-facts.js';
import type { LoadedConfig } from './load-config.js';
import { describeOrigin } from './origin.js';
import { formatHostPort, type HostPort } from './value-type.js';

/** User and group of kernels when the agent is root: never root unless it is configured. */
const UNPRIVILEGED_ID = 9001;
/** Deadline of one ordinary engine call; long ones (pull, stop) have their own. */
const ENGINE_CALL_MS = 30_000;

/** What kernels get where the agent has as much itself (lifecycle.md §1.21). */
const MAX_OPEN_FILES = 1_048_576;

const WILDCARDS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

const ms = (seconds: number): number => Math.round(seconds * 1000);

/** The address to listen at: an empty host is this machine's main address. */
export function rpcListenAddress({ values }: LoadedConfig, host: HostFacts): HostPort {
  const address = values.agent['rpc-listen-addr'];
  return { host: address.host === '' ? host.primaryAddress : address.host, port: address.port };
}

/** What the core needs to know. Throws a ConfigurationError for a user or group name that this host does not know. */
export function toAgentSettings(config: LoadedConfig, host: HostFacts, version: string): AgentSettings {
  const { agent, container, resource, api, debug, watcher } = config.values;
  const lifecycles = config.values['kernel-lifecycles'];
  const reachable = (name: string): string => (WILDCARDS.has(name) ? host.primaryAddress : name);
  const rpc = rpcListenAddress(config, host);
  const bindHost = container['bind-host'] === '' ? rpc.host : container['bind-host'];
  const advertisedHost = container['advertised-host'] ?? reachable(bindHost);
  const advertisedRpc = agent['advertised-rpc-addr'] ?? { host: reachable(rpc.host), port: rpc.port };
  const identity = kernelIdentity(config, host);

  return {
    agentId: agent.id ?? `i-${host.hostname}`,
    version,
    region: agent.region ?? 'local',
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
    container: {
      bindHost,
      advertisedHost,
      ...identity,
      portRange: container['port-range'],
      portCooldownMs: ms(container['port-reuse-cooldown-sec']),
      pidsLimit: container['pids-limit'],
      alternativeBridge: container['alternative-bridge'],
      logDriver: config.values['container-logs'].driver,
      logMaxLengthBytes: config.values['container-logs']['max-length'],
      openFilesLimit: Math.min(MAX_OPEN_FILES, host.openFilesLimit),
      timeZoneFiles: host.timeZoneFiles,
      protectedPaths: [container['scratch-root'], agent['ipc-base-path'], agent['var-base-path']],
    },
    resource: {
      reservedCpu: resource['reserved-cpu'],
      reservedMemBytes: resource['reserved-mem'],
      memoryAlignBytes: resource['memory-align-size'],
      allocationOrder: resource['allocation-order'],
      affinityPolicy: resource['affinity-policy'],
    },
    timeouts: {
      pullMs: api['pull-timeout'] === null ? null : ms(api['pull-timeout']),
      initMs: ms(lifecycles['init-timeout-sec']),
      stopGraceMs: ms(lifecycles['stop-grace-sec']),
      engineCallMs: ENGINE_CALL_MS,
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
