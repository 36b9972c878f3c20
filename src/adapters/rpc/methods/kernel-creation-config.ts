import { z } from 'zod';
import { invalidArgument } from '../../../domain/error/errors.js';
import type { KernelId, SessionId } from '../../../domain/kernel/kernel-id.js';
import type { ClusterInfo, ImageRequest, KernelSpec, VfolderMount } from '../../../domain/kernel/kernel-spec.js';
import type { ImageRef } from '../dialect/wire-values.js';
import { foldWord, freeMap, kernelId, present, sessionId, text, textMap, wireMap, word } from './fields.js';
import { autoPull, imageConfig, imageRequestOf } from './image-config.js';
import { modelDefinition } from './model-definition.js';
import { parseArguments } from './parse-arguments.js';

/**
 * The wire map of a kernel to create (rpc.md §6.5.2–6.5.5) as a KernelSpec. Unknown keys are ignored; only the ids and
 * the image are mandatory, so that a hand-written client can send a small map.
 */

const count = z.int().min(0);
const lines = z.string().transform((text) => text.replace(/\r\n?/g, '\n'));
const amount = z.preprocess((value) => (typeof value === 'number' ? String(value) : value), z.string().max(64));

const bytes = z.preprocess(
  (value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value),
  count,
);

const sshKeypair = wireMap({ public_key: z.string(), private_key: z.string() }).transform((pair) => ({
  publicKey: pair.public_key,
  privateKey: pair.private_key,
}));

const mount = wireMap({
  name: z.string(),
  vfid: z.string().max(256).optional(),
  vfsubpath: z.string().max(4_096).optional(),
  host_path: z.string().min(1),
  kernel_path: z.string().min(1),
  mount_perm: word(['ro', 'rw', 'wd']),
  usage_mode: word(['general', 'model', 'data']).default('general'),
}).transform((entry): VfolderMount => ({
  name: entry.name,
  hostPath: entry.host_path,
  kernelPath: entry.kernel_path,
  permission: entry.mount_perm,
  usageMode: entry.usage_mode,
  ...present({ vfid: entry.vfid, subpath: entry.vfsubpath }),
}));

const dotfile = wireMap({
  path: z.string().min(1),
  perm: z.string().regex(/^(0o)?[0-7]{1,4}$/, 'an octal mode such as "644"'),
  data: lines,
}).transform(({ path, perm, data }) => ({ path, mode: parseInt(perm.replace('0o', ''), 8), data }));

const internalData = wireMap({
  dotfiles: z.array(dotfile).max(1_000).default([]),
  ssh_keypair: sshKeypair.optional(),
  docker_credentials: z.unknown().optional(),
  prevent_vfolder_mounts: z.boolean().default(false),
  block_service_ports: z.boolean().default(false),
  sudo_session_enabled: z.boolean().default(false),
  model_definition: modelDefinition.optional(),
  model_definition_path: z.string().max(4_096).optional(),
  runtime_variant: z.string().max(256).optional(),
  domain_socket_proxies: z.array(z.string().max(4_096)).max(100).default([]),
});

const resourceOptions = wireMap({
  shmem: bytes.optional(),
  allow_fractional_resource_fragmentation: z.boolean().default(true),
});

const kernelConfig = wireMap({
  image: imageConfig.optional(),
  kernel_id: kernelId.optional(),
  session_id: sessionId.optional(),
  owner_user_id: text,
  owner_project_id: text,
  session_type: word(['interactive', 'batch', 'inference', 'system']).default('interactive'),
  cluster_role: z.string().min(1).max(64).default('main'),
  cluster_idx: count.default(1),
  cluster_hostname: text,
  uid: count.optional(),
  main_gid: count.optional(),
  supplementary_gids: z.array(count).max(1_024).default([]),
  resource_slots: z.record(z.string(), amount).default({}),
  resource_opts: resourceOptions.default({ shmem: undefined, allow_fractional_resource_fragmentation: true }),
  environ: textMap.default({}),
  mounts: z.array(mount).max(1_000).default([]),
  bootstrap_script: lines.optional(),
  internal_data: internalData.default(internalData.parse({})),
  auto_pull: autoPull.optional(),
  preopen_ports: z.array(z.int().min(1).max(65_535)).max(1_000).default([]),
  agent_addr: text,
  scaling_group: z.string().default('default'),
});

type KernelConfig = z.infer<typeof kernelConfig>;

const clusterInfo = wireMap({
  mode: z.preprocess((value) => foldWord(value) ?? 'single-node', z.string().min(1)),
  size: z.int().min(1).default(1),
  replicas: z.record(z.string(), count).default({ main: 1 }),
  network_config: freeMap,
  ssh_keypair: sshKeypair.optional(),
  cluster_ssh_port_mapping: z.record(z.string(), z.tuple([z.string(), z.int().min(1).max(65_535)])).optional(),
}).transform((info): ClusterInfo => ({
  mode: info.mode,
  size: info.size,
  replicas: info.replicas,
  networkConfig: info.network_config,
  ...present({ sshKeypair: info.ssh_keypair, sshPortMapping: info.cluster_ssh_port_mapping }),
}));

/** @throws InvalidArgumentError. */
export function readClusterInfo(value: unknown): ClusterInfo {
  return parseArguments(clusterInfo, value ?? {}, 'cluster_info');
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
 * @throws InvalidArgumentError that names the key and what it may hold.
 */
export function readKernelConfig(value: unknown, address: KernelAddress, at: string): KernelSpec {
  const config = parseArguments(kernelConfig, value, at);
  const internal = config.internal_data;
  const id = agreed(address.kernelId, config.kernel_id, `${at}.kernel_id`);
  return {
    kernelId: id,
    // A kernel of its own is a session of its own.
    sessionId: agreed(
      address.sessionId,
      config.session_id ?? address.sessionId ?? (id as string as SessionId),
      `${at}.session_id`,
    ),
    ...present({
      ownerUserId: config.owner_user_id === '' ? undefined : config.owner_user_id,
      ownerProjectId: config.owner_project_id === '' ? undefined : config.owner_project_id,
      shmemBytes: config.resource_opts.shmem,
      bootstrapScript: config.bootstrap_script,
      sshKeypair: internal.ssh_keypair,
      dockerCredentials: internal.docker_credentials ?? undefined,
      modelDefinition: internal.model_definition,
      modelDefinitionPath: internal.model_definition_path,
      runtimeVariant: internal.runtime_variant,
      domainSocketProxies: internal.domain_socket_proxies.length > 0 ? internal.domain_socket_proxies : undefined,
    }),
    image: imageRequest(config, address.imageRef, at),
    sessionType: config.session_type,
    clusterRole: config.cluster_role,
    clusterIdx: config.cluster_idx,
    clusterHostname: config.cluster_hostname || `${config.cluster_role}${config.cluster_idx}`,
    cluster: address.cluster,
    identity: {
      ...present({ uid: config.uid, mainGid: config.main_gid }),
      supplementaryGids: config.supplementary_gids,
    },
    resourceSlots: config.resource_slots,
    allowFractionalFragmentation: config.resource_opts.allow_fractional_resource_fragmentation,
    environ: config.environ,
    mounts: config.mounts,
    dotfiles: internal.dotfiles,
    preventVfolderMounts: internal.prevent_vfolder_mounts,
    blockServicePorts: internal.block_service_ports,
    sudoSessionEnabled: internal.sudo_session_enabled,
    preopenPorts: config.preopen_ports,
    agentAddr: config.agent_addr,
    scalingGroup: config.scaling_group,
  };
}

function imageRequest(config: KernelConfig, ref: ImageRef | undefined, at: string): ImageRequest {
  const asked = config.image ?? (ref === undefined ? undefined : imageConfig.parse(ref));
  if (asked === undefined) {
    throw invalidArgument(`${at}.image: must be a map with 'canonical', or an image name`, {
      field: `${at}.image`,
      allowed: "a map with 'canonical', or an image name",
    });
  }
  // The one at top level counts at creation (rpc.md §6.5.2).
  return imageRequestOf(asked, config.auto_pull);
}

function agreed<T extends string>(ofCall: T | undefined, ofConfig: T | undefined, field: string): T {
  const value = ofCall ?? ofConfig;
  if (value === undefined || (ofConfig !== undefined && ofConfig !== value)) {
    const allowed = value === undefined ? 'a UUID' : 'the same id as in the call';
    throw invalidArgument(`${field}: must be ${allowed}`, { field, allowed });
  }
  return value;
}
