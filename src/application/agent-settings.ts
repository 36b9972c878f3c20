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
  readonly container: {
    readonly bindHost: string;
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
    /** Host files that give containers the host's time zone, as far as they exist. */
    readonly timeZoneFiles: readonly string[];
    /** Host paths below which mounts are never allowed, besides the system's own. */
    readonly protectedPaths: readonly string[];
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
  };
}

export const AgentSettings = Symbol('AgentSettings');
