import { type KernelId, parseKernelId, parseSessionId, type SessionId } from '../../../domain/kernel/kernel-id.js';
import type {
  AutoPull,
  ClusterInfo,
  Dotfile,
  ImageRequest,
  KernelSpec,
  SshKeypair,
  VfolderMount,
} from '../../../domain/kernel/kernel-spec.js';
import type { ImageRef } from '../dialect/wire-values.js';
import { present } from './fields.js';
import { autoPull, imageRequestOf, readImageConfig } from './image-config.js';
import { modelDefinition } from './model-definition.js';
import { placeIn, type Problem } from './problems.js';
import {
  anything,
  changed,
  type Fields,
  flag,
  foldWord,
  freeMap,
  list,
  made,
  map,
  ofSchema,
  readAll,
  type Reader,
  record,
  text,
  textLike,
  textMap,
  whole,
  word,
} from './readers.js';

/**
 * The wire map of a kernel to create (rpc.md §6.5.2–6.5.5) as a KernelSpec. Unknown keys are ignored; only the ids and
 * the image are mandatory, so that a hand-written client can send a small map.
 */

const count = whole(0);
const positive = whole(1);
const anyText = text();
const someText = text(1);
const shortText = text(0, 256);
const roleName = text(1, 64);
const port = whole(1, 65_535);
const path = text(0, 4_096);
const ports = list(port, 1_000);
const groups = list(count, 1_024);
const sockets = list(path, 100);

const lines = made(anyText, (value) => (value.includes('\r') ? value.replace(/\r\n?/g, '\n') : value));
const amount = changed((value) => (typeof value === 'number' ? String(value) : value), text(0, 64));
const bytes = changed((value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value), count);
const amounts = record(amount);
const counts = record(count);

const sessionType = word(['interactive', 'batch', 'inference', 'system']);
const mountPermission = word(['ro', 'rw', 'wd']);
const usageMode = word(['general', 'model', 'data']);
const octalMode = made(textLike(/^(0o)?[0-7]{1,4}$/, 'an octal mode such as "644"'), (perm) =>
  parseInt(perm.replace('0o', ''), 8),
);

const sshKeypair = map((pair): SshKeypair => ({
  publicKey: pair.required('public_key', anyText),
  privateKey: pair.required('private_key', anyText),
}));

const mounts = list(
  map((mount): VfolderMount => ({
    name: mount.required('name', anyText),
    hostPath: mount.required('host_path', someText),
    kernelPath: mount.required('kernel_path', someText),
    permission: mount.required('mount_perm', mountPermission),
    usageMode: mount.optional('usage_mode', usageMode) ?? 'general',
    ...present({
      vfid: mount.optional('vfid', shortText),
      subpath: mount.optional('vfsubpath', path),
    }),
  })),
  1_000,
);

const dotfiles = list(
  map((dotfile): Dotfile => ({
    path: dotfile.required('path', someText),
    mode: dotfile.required('perm', octalMode),
    data: dotfile.required('data', lines),
  })),
  1_000,
);

const model = ofSchema(modelDefinition);

const internalData = map((data) => ({
  dotfiles: data.optional('dotfiles', dotfiles),
  sshKeypair: data.optional('ssh_keypair', sshKeypair),
  dockerCredentials: data.optional('docker_credentials', anything),
  preventVfolderMounts: data.optional('prevent_vfolder_mounts', flag),
  blockServicePorts: data.optional('block_service_ports', flag),
  sudoSessionEnabled: data.optional('sudo_session_enabled', flag),
  modelDefinition: data.optional('model_definition', model),
  modelDefinitionPath: data.optional('model_definition_path', path),
  runtimeVariant: data.optional('runtime_variant', shortText),
  domainSocketProxies: data.optional('domain_socket_proxies', sockets),
}));
type InternalData = Partial<NonNullable<ReturnType<typeof internalData>>>;

const resourceOptions = map((options) => ({
  shmem: options.optional('shmem', bytes),
  fragmentation: options.optional('allow_fractional_resource_fragmentation', flag),
}));
type ResourceOptions = Partial<NonNullable<ReturnType<typeof resourceOptions>>>;

const clusterMode = changed(foldWord, someText);
const sshPortMapping = record<readonly [string, number]>((value, at, problems) => {
  if (!Array.isArray(value) || value.length !== 2) {
    problems.push({ field: at, allowed: 'a host and a port' });
    return undefined;
  }
  const [host, number] = value as readonly unknown[];
  return [anyText(host, placeIn(at, 0), problems) ?? '', port(number, placeIn(at, 1), problems) ?? 0];
});

const clusterInfo = map((info): ClusterInfo => ({
  mode: info.optional('mode', clusterMode) ?? 'single-node',
  size: info.optional('size', positive) ?? 1,
  replicas: info.optional('replicas', counts) ?? { main: 1 },
  networkConfig: info.optional('network_config', freeMap) ?? {},
  ...present({
    sshKeypair: info.optional('ssh_keypair', sshKeypair),
    sshPortMapping: info.optional('cluster_ssh_port_mapping', sshPortMapping),
  }),
}));

/** @throws InvalidArgumentError. */
export function readClusterInfo(value: unknown): ClusterInfo {
  return readAll(clusterInfo, value ?? {}, 'cluster_info');
}

/** What the call says of a kernel outside its config; it decides where both say something. */
export interface KernelAddress {
  readonly kernelId?: KernelId | undefined;
  readonly sessionId?: SessionId | undefined;
  readonly cluster: ClusterInfo;
  /** Entry of `kernel_image_refs`. */
  readonly imageRef?: ImageRef | undefined;
}

/**
 * @param at where the config stands in the call, for the error.
 * @throws InvalidArgumentError that names every key at fault and what it may hold.
 */
export function readKernelConfig(value: unknown, address: KernelAddress, at: string): KernelSpec {
  const read: Reader<KernelSpec> = (entries, place, problems) =>
    map((config) => specOf(config, address, place, problems))(entries, place, problems);
  return readAll(read, value, at);
}

function specOf(config: Fields, address: KernelAddress, at: string, problems: Problem[]): KernelSpec {
  const { kernelId, sessionId } = idsOf(config, address, at, problems);
  const internal: InternalData = config.optional('internal_data', internalData) ?? {};
  const options: ResourceOptions = config.optional('resource_opts', resourceOptions) ?? {};
  const clusterRole = config.optional('cluster_role', roleName) ?? 'main';
  const clusterIdx = config.optional('cluster_idx', count) ?? 1;
  return {
    kernelId,
    sessionId,
    image: imageOf(config, address.imageRef, at, problems),
    sessionType: config.optional('session_type', sessionType) ?? 'interactive',
    clusterRole,
    clusterIdx,
    clusterHostname: config.optional('cluster_hostname', anyText) || `${clusterRole}${clusterIdx}`,
    cluster: address.cluster,
    identity: {
      supplementaryGids: config.optional('supplementary_gids', groups) ?? [],
      ...present({ uid: config.optional('uid', count), mainGid: config.optional('main_gid', count) }),
    },
    resourceSlots: config.optional('resource_slots', amounts) ?? {},
    allowFractionalFragmentation: options.fragmentation ?? true,
    environ: config.optional('environ', textMap) ?? {},
    mounts: config.optional('mounts', mounts) ?? [],
    dotfiles: internal.dotfiles ?? [],
    preventVfolderMounts: internal.preventVfolderMounts ?? false,
    blockServicePorts: internal.blockServicePorts ?? false,
    sudoSessionEnabled: internal.sudoSessionEnabled ?? false,
    preopenPorts: config.optional('preopen_ports', ports) ?? [],
    agentAddr: config.optional('agent_addr', anyText) ?? '',
    scalingGroup: config.optional('scaling_group', anyText) ?? 'default',
    // Last, and once: V8 takes a hundred times longer for an object in the middle of which another one is spread.
    ...present({
      ownerUserId: config.optional('owner_user_id', anyText) || undefined,
      ownerProjectId: config.optional('owner_project_id', anyText) || undefined,
      shmemBytes: options.shmem,
      bootstrapScript: config.optional('bootstrap_script', lines),
      sshKeypair: internal.sshKeypair,
      dockerCredentials: internal.dockerCredentials,
      modelDefinition: internal.modelDefinition,
      modelDefinitionPath: internal.modelDefinitionPath,
      runtimeVariant: internal.runtimeVariant,
      domainSocketProxies: internal.domainSocketProxies?.length === 0 ? undefined : internal.domainSocketProxies,
    }),
  };
}

function imageOf(config: Fields, ref: ImageRef | undefined, at: string, problems: Problem[]): ImageRequest {
  // The one at top level counts at creation (rpc.md §6.5.2).
  const policy: AutoPull | undefined = config.optional('auto_pull', autoPull);
  const place = placeIn(at, 'image');
  const named = config.optional('image', anything) ?? ref;
  const asked = named === undefined ? undefined : readImageConfig(named, place, problems);
  if (asked !== undefined) return imageRequestOf(asked, policy);
  if (named === undefined) problems.push({ field: place, allowed: "a map with 'canonical', or an image name" });
  return { canonical: '', isLocal: false, autoPull: 'digest' };
}

/** The ids of call and config, which must not differ. A kernel of its own is a session of its own. */
function idsOf(
  config: Fields,
  address: KernelAddress,
  at: string,
  problems: Problem[],
): Pick<KernelSpec, 'kernelId' | 'sessionId'> {
  const [kernelAt, sessionAt] = [placeIn(at, 'kernel_id'), placeIn(at, 'session_id')];
  const ownKernel = config.optional('kernel_id', anyText);
  const ownSession = config.optional('session_id', anyText);
  const kernelId = agreed(
    address.kernelId,
    ownKernel === undefined ? undefined : parseKernelId(ownKernel, kernelAt),
    kernelAt,
    problems,
  );
  const sessionId = agreed(
    address.sessionId,
    ownSession === undefined ? undefined : parseSessionId(ownSession, sessionAt),
    sessionAt,
    problems,
    kernelId as string as SessionId,
  );
  return { kernelId, sessionId };
}

function agreed<T extends string>(
  ofCall: T | undefined,
  ofConfig: T | undefined,
  field: string,
  problems: Problem[],
  otherwise?: T,
): T {
  const value = ofCall ?? ofConfig ?? otherwise;
  if (value !== undefined && (ofConfig === undefined || ofConfig === value)) return value;
  problems.push({ field, allowed: value === undefined ? 'a UUID' : 'the same id as in the call' });
  return '' as T;
}
