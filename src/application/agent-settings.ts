import type { ServiceEndpointBody } from '../domain/event/agent-event.js';

/** What the use cases need to know of the configuration, validated and with defaults applied (lifecycle.md §7). */
export interface AgentSettings {
  readonly agentId: string;
  readonly version: string;
  readonly region: string | null;
  /** Linux spelling of this machine: `x86_64`, `aarch64`. */
  readonly architecture: string;
  readonly resourceGroup: string | null;
  /** `tcp://host:port` told to the Manager. */
  readonly advertisedRpcAddress: string;
  readonly publicHost: string;
  readonly rpcPublicKey: string | null;
  readonly heartbeatIntervalMs: number;
  readonly usageIntervalMs: number;
  readonly reconcileIntervalMs: number;
  readonly kernelCreationConcurrency: number;
  /** Generation of the events on the wire; `auto` = as the Managers speak (state.md §0). */
  readonly eventWire: 'auto' | 'A' | 'B' | 'dual';
  /** A Storage Proxy runs on this machine: volumes are mounted without the agent (state.md §2.7). */
  readonly cohabitingStorageProxy: boolean;
  readonly container: {
    readonly bindHost: string;
    /** Services that only this machine may reach. */
    readonly loopbackServices: readonly string[];
    readonly advertisedHost: string;
    readonly uid: number;
    readonly gid: number;
    /** Inclusive. */
    readonly portRange: readonly [number, number];
    readonly portCooldownMs: number;
    readonly pidsLimit: number;
    /** Open files of a process, soft and hard: no more than the agent itself may have (lifecycle.md §1.21). */
    readonly openFilesLimit: number;
    readonly alternativeBridge: string | null;
    readonly logDriver: string;
    readonly logMaxLengthBytes: number;
    /** Size of the pieces in which the log of an ended container is kept for the Manager. */
    readonly logChunkBytes: number;
    /** Host files that give containers the host's time zone, as far as they exist. */
    readonly timeZoneFiles: readonly string[];
    /** Host paths below which mounts are never allowed, besides the system's own. */
    readonly protectedPaths: readonly string[];
  };
  /** What is measured for the Manager, and how often (stats.md §1). */
  readonly statistics: Readonly<
    Record<'node' | 'container' | 'process', { readonly enabled: boolean; readonly intervalMs: number }>
  >;
  /** Folder of images committed to files. */
  readonly imageCommitPath: string;
  /** Folder of abuse reports; `null` = none are read. */
  readonly abuseReportPath: string | null;
  /** Whether kernels that are reported for abuse are destroyed. */
  readonly endsAbusers: boolean;
  /** Where Prometheus finds this agent: `host:port` (state.md §8.1). */
  readonly announcedHttpAddress: string;
  readonly serviceDiscovery: {
    /** Always the same for the same address: a restart replaces the record. */
    readonly id: string;
    /** Where that address is kept. */
    readonly type: 'redis' | 'etcd';
    /** In the Manager's service catalogue (state.md §8.2); `null` = not there. */
    readonly group: string | null;
    readonly instanceId: string;
    readonly displayName: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly endpoints: readonly ServiceEndpointBody[];
  };
  readonly watcher: {
    /** Unit of this agent. */
    readonly targetService: string;
    readonly softResetAvailable: boolean;
    /** Where the HTTP application listens. */
    readonly port: number;
  };
  readonly resource: {
    readonly reservedCpu: number;
    readonly reservedMemBytes: number;
    readonly memoryAlignBytes: number;
    readonly allocationOrder: readonly string[];
    readonly affinityPolicy: 'INTERLEAVED' | 'PREFER_SINGLE_NODE';
  };
  readonly timeouts: {
    /** `null` = none. */
    readonly pullMs: number | null;
    /** From container start to the runner's first answer. */
    readonly initMs: number;
    readonly stopGraceMs: number;
    readonly engineCallMs: number;
    /** `null` = none. */
    readonly commitMs: number | null;
    /** `null` = none. */
    readonly pushMs: number | null;
  };
}

export const AgentSettings = Symbol('AgentSettings');
