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
  readonly preopenPorts: readonly number[];
  /** Echoed in the result, otherwise unused. */
  readonly agentAddr: string;
  readonly scalingGroup: string;
}
