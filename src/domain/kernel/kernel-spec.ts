import type { KernelId, SessionId } from './kernel-id.js';

/** When an image that is present locally is pulled again (lifecycle.md §1.6). */
export type AutoPull = 'digest' | 'tag' | 'none';
export type SessionType = 'interactive' | 'batch' | 'inference' | 'system';
/** Read-only, read-write, read-write with deletion: a container engine knows only the first difference. */
export type MountPermission = 'ro' | 'rw' | 'wd';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface ImageRequest {
  /** `registry/project/name:tag`, or a local name. */
  readonly canonical: string;
  /** The image id (`sha256:…`) expected by the caller, compared by policy `digest`. */
  readonly digest?: string;
  /** `x86_64` or `aarch64`; checked against the agent's own when given. */
  readonly architecture?: string;
  readonly credentials?: RegistryCredentials;
  /** Labels known to the caller; those of the local image fill what is missing. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Never pulled; addressed by its short name. */
  readonly isLocal: boolean;
  readonly autoPull: AutoPull;
}

export interface VfolderMount {
  readonly name: string;
  readonly hostPath: string;
  readonly kernelPath: string;
  readonly permission: MountPermission;
  readonly usageMode: 'general' | 'model' | 'data';
  /** `user:<uuid>/<32 hex>`, `project:<uuid>/<32 hex>` or `<32 hex>` (rpc.md §6.5.3). */
  readonly vfid?: string;
  /** Folder inside the vfolder that is mounted; `hostPath` has it already. */
  readonly subpath?: string;
}

/** What an inference session serves, as the Manager resolved it (rpc.md §6.5.4). */
export interface ModelDefinition {
  readonly models: readonly Model[];
}

export interface Model {
  readonly name: string;
  readonly modelPath: string;
  readonly service?: ModelService;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface ModelService {
  readonly preStartActions: readonly {
    readonly action: string;
    readonly args: Readonly<Record<string, unknown>>;
  }[];
  /** One line for `shell`; `undefined` = what the image starts by itself. */
  readonly startCommand?: string;
  readonly shell: string;
  readonly port: number;
  readonly healthCheck?: ModelHealthCheck;
}

export interface ModelHealthCheck {
  readonly enable: boolean;
  readonly path: string;
  readonly intervalSeconds: number;
  readonly maxRetries: number;
  readonly maxWaitSeconds: number;
  readonly expectedStatusCode: number;
  readonly initialDelaySeconds: number;
}

export interface Dotfile {
  /** Relative to the work directory, or absolute below /home/work or /home/config. */
  readonly path: string;
  /** File mode as a number, e.g. 0o644. */
  readonly mode: number;
  readonly data: string;
}

export interface SshKeypair {
  readonly publicKey: string;
  readonly privateKey: string;
}

export interface ClusterInfo {
  readonly mode: string;
  readonly size: number;
  readonly replicas: Readonly<Record<string, number>>;
  readonly networkConfig: Readonly<Record<string, unknown>>;
  readonly sshKeypair?: SshKeypair;
  readonly sshPortMapping?: Readonly<Record<string, readonly [host: string, port: number]>>;
}

/** Identity overrides of the Manager; without them the agent's `kernel-uid` and `kernel-gid` apply. */
export interface IdentityOverride {
  readonly uid?: number;
  readonly mainGid?: number;
  readonly supplementaryGids: readonly number[];
}

/**
 * What is asked for, after parsing and before validation against this node: the one input of creating a kernel,
 * whether it came by RPC (rpc.md §6.5.2), HTTP or the command line.
 */
export interface KernelSpec {
  readonly kernelId: KernelId;
  readonly sessionId: SessionId;
  readonly ownerUserId?: string;
  readonly ownerProjectId?: string;
  readonly image: ImageRequest;
  readonly sessionType: SessionType;
  readonly clusterRole: string;
  readonly clusterIdx: number;
  readonly clusterHostname: string;
  readonly cluster: ClusterInfo;
  readonly identity: IdentityOverride;
  /** Slot name → amount: decimal text, or a size such as `512m` for `mem`. */
  readonly resourceSlots: Readonly<Record<string, string>>;
  readonly shmemBytes?: number;
  readonly allowFractionalFragmentation: boolean;
  readonly environ: Readonly<Record<string, string>>;
  readonly mounts: readonly VfolderMount[];
  readonly bootstrapScript?: string;
  readonly dotfiles: readonly Dotfile[];
  readonly sshKeypair?: SshKeypair;
  readonly dockerCredentials?: unknown;
  readonly preventVfolderMounts: boolean;
  readonly blockServicePorts: boolean;
  readonly sudoSessionEnabled: boolean;
  /** Inlined by Managers from 26.4.4 on. */
  readonly modelDefinition?: ModelDefinition;
  /** For Managers up to 26.4.3: the file in the model's vfolder that holds the definition. */
  readonly modelDefinitionPath?: string;
  /** For Managers up to 26.4.3: `custom`, `vllm`, … */
  readonly runtimeVariant?: string;
  /** Sockets of the host to be had inside. */
  readonly domainSocketProxies?: readonly string[];
  readonly preopenPorts: readonly number[];
  /** Echoed in the result, otherwise unused. */
  readonly agentAddr: string;
  readonly scalingGroup: string;
}
