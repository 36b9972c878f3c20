import type { RegistryCredentials } from '../../domain/kernel/kernel-spec.js';
import type { Call } from './call.js';

/**
 * A container engine with the semantics of the Docker API ≥ 1.41.
 *
 * Every call has a deadline and an AbortSignal; both end the underlying request. Failures are AgentErrors:
 * `ContainerEngineUnavailableError` (socket gone, connection cut, 5xx), `TimeoutError` (deadline), `ImageNotAvailable`,
 * `ContainerEngineConflictError` (409), `StorageError` (no space), `ContainerEngineError` (everything else).
 * Looking something up that is not there gives `undefined`; removing it is a success.
 */
export interface ContainerEngine {
  info(call: Call): Promise<EngineInfo>;

  inspectImage(reference: string, call: Call): Promise<ImageDetails | undefined>;
  /** All but intermediate ones; untagged ones too. */
  listImages(call: Call): Promise<readonly ImageSummary[]>;
  /** Pulls to the end of the progress stream; any error item in it is a failure (lifecycle.md §1.6). */
  pullImage(reference: string, options: TransferOptions, call: Call): Promise<void>;
  /** Sends a local image to the registry in its name; to the end of the progress stream, like pullImage. */
  pushImage(reference: string, options: TransferOptions, call: Call): Promise<void>;
  /** Makes an image of one layer from a root file system as a tar stream, with `changes` in Dockerfile words. */
  importImage(tar: AsyncIterable<Uint8Array>, reference: string, changes: readonly string[], call: Call): Promise<void>;
  /** Gives an image one more name; an image that had it loses it. */
  tagImage(reference: string, target: string, call: Call): Promise<void>;
  /** The image as a tar stream that `docker load` reads; asked by id, it names nothing in it. */
  exportImage(reference: string, call: Call): AsyncIterable<Uint8Array>;
  /** Takes a name from an image, and the image with its last one. In use is a ContainerEngineConflictError. */
  removeImage(reference: string, options: RemoveImageOptions, call: Call): Promise<void>;

  /** Creates a container; a name that exists is a ContainerEngineConflictError. Resolves with its id. */
  createContainer(spec: ContainerSpec, call: Call): Promise<string>;
  startContainer(id: string, call: Call): Promise<void>;
  /** Stop signal, then SIGKILL after `graceMs`. Not running or gone is a success. */
  stopContainer(id: string, graceMs: number, call: Call): Promise<void>;
  killContainer(id: string, signal: string, call: Call): Promise<void>;
  /** Removes with its anonymous volumes, running or not. */
  removeContainer(id: string, call: Call): Promise<void>;
  inspectContainer(idOrName: string, call: Call): Promise<ContainerDetails | undefined>;
  /** Containers in any state whose labels include all of `labels`. */
  listContainers(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly ContainerSummary[]>;
  /**
   * Makes an image of what a container holds now, and resolves with the image's id. The container's processes stand
   * still meanwhile and go on afterwards. A call that was broken off may still make it: `reference` finds it then.
   */
  commitContainer(id: string, commit: CommitSpec, call: Call): Promise<string>;
  /** The log so far, or on and on with `follow`; stdout and stderr as written, demultiplexed. */
  containerLogs(id: string, options: LogOptions, call: Call): AsyncIterable<Uint8Array>;
  /** Runs a command in a container to its end. Output beyond 1 MiB a stream is cut. */
  exec(id: string, command: ExecSpec, call: Call): Promise<ExecResult>;
  /** A path of a container as a tar stream. */
  getArchive(id: string, path: string, call: Call): AsyncIterable<Uint8Array>;
  /** Unpacks a tar stream at a path of a container. */
  putArchive(id: string, path: string, tar: AsyncIterable<Uint8Array>, call: Call): Promise<void>;

  createNetwork(name: string, labels: Readonly<Record<string, string>>, call: Call): Promise<string>;
  removeNetwork(idOrName: string, call: Call): Promise<void>;
  listNetworks(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly { id: string; name: string }[]>;

  /**
   * Container events from `sinceMs` on, without a gap: after a lost connection it subscribes again from the last event
   * seen and drops repetitions. Ends only by `call.signal`; while the engine is away it waits and tries again, telling
   * `onConnection` at each change.
   */
  watchEvents(
    sinceMs: number,
    call: Call,
    onConnection?: (connected: boolean, error?: Error) => void,
  ): AsyncIterable<EngineEvent>;
}

export interface EngineInfo {
  readonly version: string;
  readonly apiVersion: string;
  /** Linux spelling: `x86_64`, `aarch64`. */
  readonly architecture: string;
  readonly osType: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupDriver: string;
  readonly rootDirectory: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly rootless: boolean;
  readonly runtimes: readonly string[];
}

export interface ImageSummary {
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…`, as registries know it. */
  readonly digests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageDetails extends ImageSummary {
  /** Linux spelling: `x86_64`, `aarch64`. */
  readonly architecture: string;
  readonly os: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly user: string;
  readonly sizeBytes: number;
}

export interface RemoveImageOptions {
  /** Also if containers that stopped use it. */
  readonly force?: boolean;
  /** Keeps untagged parents. */
  readonly noPrune?: boolean;
}

export interface CommitSpec {
  /** Name of the new image; none = only its id. */
  readonly reference?: string;
  /** On top of the container's own. */
  readonly labels: Readonly<Record<string, string>>;
  /** Instead of the container's own. */
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
}

export interface TransferProgress {
  readonly layer: string;
  readonly status: string;
  readonly currentBytes: number;
  readonly totalBytes: number;
}

export interface TransferOptions {
  readonly credentials?: RegistryCredentials;
  readonly onProgress?: (progress: TransferProgress) => void;
}

export interface Mount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** Host path or volume name; empty for tmpfs. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface PortBinding {
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly hostname: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty = as the image says. */
  readonly user: string;
  readonly tty: boolean;
  readonly stopSignal: string;
  readonly mounts: readonly Mount[];
  readonly ports: readonly PortBinding[];
  readonly network?: { readonly name: string; readonly aliases: readonly string[] };
  readonly init: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly groupAdd: readonly string[];
  readonly limits: ContainerLimits;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly log: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly devices: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly permissions: string;
  }[];
  readonly deviceRequests: readonly {
    readonly driver: string;
    readonly deviceIds: readonly string[];
    readonly capabilities: readonly (readonly string[])[];
  }[];
  readonly extraHosts: readonly string[];
}

export interface ContainerLimits {
  /** Core list such as `0,2`; empty = all. */
  readonly cpusetCpus: string;
  /** CPU bandwidth in cores; 0 = no limit. */
  readonly cpuQuotaCores: number;
  readonly memoryBytes: number;
  /** Memory plus swap; equal to `memoryBytes` = no swap. */
  readonly memorySwapBytes: number;
  readonly pids: number;
  /** 0 = the engine's default. */
  readonly shmBytes: number;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerState;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerDetails extends ContainerSummary {
  readonly image: string;
  readonly imageId: string;
  readonly pid: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly error: string;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly ports: readonly PortBinding[];
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
  readonly cgroupParent: string;
  readonly ipAddress: string;
  readonly limits: ContainerLimits;
}

export interface LogOptions {
  readonly follow?: boolean;
  /** Last lines only. */
  readonly tail?: number;
}

export interface ExecSpec {
  readonly command: readonly string[];
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface EngineEvent {
  readonly action: 'create' | 'start' | 'die' | 'oom' | 'destroy';
  readonly containerId: string;
  readonly name: string;
  readonly timeMs: number;
  /** Labels and, for `die`, `exitCode`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export const ContainerEngine = Symbol('ContainerEngine');
