import type { KernelSpec, VfolderMount } from '../kernel/kernel-spec.js';
import { formatBinarySize } from '../resource/binary-size.js';
import type { Allocation } from '../resource/device.js';
import { checkEnviron } from './environ.js';
import type { KernelIdentity } from './identity.js';

/** Facts of an allocated device. */
export interface DeviceFacts {
  readonly deviceId: string;
  readonly modelName: string | null;
  readonly memoryBytes: number | null;
}

export interface EnvironmentInput {
  readonly spec: KernelSpec;
  readonly identity: KernelIdentity;
  /** Canonical image name. */
  readonly image: string;
  /** Label `ai.backend.service-ports` as it is. */
  readonly servicePortsLabel: string;
  /** Variables of label `ai.backend.envs.corecount`. */
  readonly coreCountVariables: readonly string[];
  /** With absolute kernel paths. */
  readonly mounts: readonly VfolderMount[];
  readonly allocation: Allocation;
  /** Device name → devices of this kernel, in allocation order. */
  readonly attached: Readonly<Record<string, readonly DeviceFacts[]>>;
  /** What accelerators add, in the order of the plug-ins. */
  readonly deviceEnv: readonly Readonly<Record<string, string>>[];
}

/** Identity is the agent's to decide: a caller who could set these would choose to be root. */
const AGENT_OWNED = new Set(['LOCAL_USER_ID', 'LOCAL_GROUP_ID', 'ADDITIONAL_GIDS']);
const MIB = 1_048_576;

/**
 * The environment of a kernel (lifecycle.md §1.2, §1.5, §1.15): what the caller gave, what every kernel can rely on, who it
 * is, its cores and accelerators, and what accelerators need, which nobody can override. Throws
 * InvalidArgumentError for variables that can't be given to a container.
 */
export function buildEnvironment(input: EnvironmentInput): Record<string, string> {
  const { spec, mounts, identity } = input;
  const given = Object.entries(spec.environ).filter(([name]) => !AGENT_OWNED.has(name));
  const environ: Record<string, string> = {
    ...sessionVariables(input),
    ...Object.fromEntries(given),
    ...identityVariables(identity),
  };
  if (mounts.length > 0) environ['BACKENDAI_PERSISTENT_PATHS'] = mounts.map(({ kernelPath }) => kernelPath).join(':');
  const cores = Object.keys(input.allocation['cpu']?.['cpu'] ?? {}).length;
  for (const name of input.coreCountVariables) environ[name] ??= String(cores);
  Object.assign(environ, acceleratorVariables(input.attached), ...input.deviceEnv);
  checkEnviron(environ);
  return environ;
}

/** A Manager sends these itself; for other callers they are filled in, so that programs find the same in both cases. */
function sessionVariables({ spec, image, servicePortsLabel }: EnvironmentInput): Record<string, string> {
  const replicas = Object.entries(spec.cluster.replicas);
  return {
    BACKENDAI_KERNEL_ID: spec.kernelId,
    BACKENDAI_SESSION_ID: spec.sessionId,
    BACKENDAI_KERNEL_IMAGE: image,
    BACKENDAI_CLUSTER_ROLE: spec.clusterRole,
    BACKENDAI_CLUSTER_IDX: String(spec.clusterIdx),
    BACKENDAI_CLUSTER_HOST: spec.clusterHostname,
    BACKENDAI_CLUSTER_SIZE: String(spec.cluster.size),
    ...(replicas.length > 0
      ? { BACKENDAI_CLUSTER_REPLICAS: replicas.map(([role, count]) => `${role}:${count}`).join(',') }
      : {}),
    BACKENDAI_PREOPEN_PORTS: spec.preopenPorts.join(','),
    BACKENDAI_SERVICE_PORTS: servicePortsLabel,
    ...(spec.sudoSessionEnabled ? { SUDO_SESSION_ENABLED: '1' } : {}),
  };
}

function identityVariables({ uid, gid, additionalGids }: KernelIdentity): Record<string, string> {
  return {
    ...(uid === undefined ? {} : { LOCAL_USER_ID: String(uid) }),
    ...(gid === undefined ? {} : { LOCAL_GROUP_ID: String(gid) }),
    ...(additionalGids.length === 0 ? {} : { ADDITIONAL_GIDS: additionalGids.join(',') }),
  };
}

/** Describes the first accelerator that the kernel really has; the reference takes the first one there is, had or not. */
function acceleratorVariables(attached: EnvironmentInput['attached']): Record<string, string> {
  const found = Object.entries(attached).find(
    ([deviceName, devices]) => deviceName !== 'cpu' && deviceName !== 'mem' && devices.length > 0,
  );
  if (!found) return { GPU_COUNT: '0', N_GPUS: '0' };
  const [deviceName, devices] = found;
  const sizes = devices.map(({ memoryBytes }) => memoryBytes ?? 0);
  return {
    GPU_TYPE: deviceName,
    GPU_MODEL_NAME: devices[0]?.modelName ?? '',
    GPU_CONFIG: sizes.map((size, index) => `${index}:${formatBinarySize(BigInt(size))}`).join(','),
    TF_GPU_MEMORY_ALLOC: sizes.map((size, index) => `${index}:${Math.floor(size / MIB)}`).join(','),
    GPU_COUNT: String(devices.length),
    N_GPUS: String(devices.length),
  };
}
