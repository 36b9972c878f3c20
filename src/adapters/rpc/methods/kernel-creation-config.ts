import { z } from 'zod';
import { invalidArgument } from '../../../domain/error/errors.js';
import type { KernelId, SessionId } from '../../../domain/kernel/kernel-id.js';
import type { ClusterInfo, ImageRequest, KernelSpec, VfolderMount } from '../../../domain/kernel/kernel-spec.js';
import type { ImageRef } from '../dialect/wire-values.js';
import {
  foldWord,
  freeMap,
  kernelId,
  optional,
  orDefault,
  present,
  sessionId,
  textMap,
  textOrEmpty,
  word,
} from './fields.js';
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

const sshKeypair = z
  .object({ public_key: z.string(), private_key: z.string() })
  .transform((pair) => ({ publicKey: pair.public_key, privateKey: pair.private_key }));

const mount = z
  .object({
    name: z.string(),
    vfid: optional(z.string().max(256)),
    vfsubpath: optional(z.string().max(4_096)),
    host_path: z.string().min(1),
    kernel_path: z.string().min(1),
    mount_perm: word(['ro', 'rw', 'wd']),
    usage_mode: orDefault(word(['general', 'model', 'data']), 'general'),
  })
  .transform((entry): VfolderMount => ({
    name: entry.name,
    hostPath: entry.host_path,
    kernelPath: entry.kernel_path,
    permission: entry.mount_perm,
    usageMode: entry.usage_mode,
    ...present({ vfid: entry.vfid, subpath: entry.vfsubpath }),
  }));

const dotfile = z
  .object({
    path: z.string().min(1),
    perm: z.string().regex(/^(0o)?[0-7]{1,4}$/, 'an octal mode such as "644"'),
    data: lines,
  })
  .transform(({ path, perm, data }) => ({ path, mode: parseInt(perm.replace('0o', ''), 8), data }));

const internalData = z.object({
  dotfiles: orDefault(z.array(dotfile).max(1_000), []),
  ssh_keypair: optional(sshKeypair),
  docker_credentials: z.unknown().optional(),
  prevent_vfolder_mounts: orDefault(z.boolean(), false),
  block_service_ports: orDefault(z.boolean(), false),
  sudo_session_enabled: orDefault(z.boolean(), false),
  model_definition: optional(modelDefinition),
  model_definition_path: optional(z.string().max(4_096)),
  runtime_variant: optional(z.string().max(256)),
  domain_socket_proxies: orDefault(z.array(z.string().max(4_096)).max(100), []),
});

const resourceOptions = z.object({
  shmem: optional(bytes),
  allow_fractional_resource_fragmentation: orDefault(z.boolean(), true),
});

const kernelConfig = z.object({
  image: imageConfig.optional(),
  kernel_id: kernelId.optional(),
  session_id: sessionId.optional(),
  owner_user_id: textOrEmpty,
  owner_project_id: textOrEmpty,
  session_type: orDefault(word(['interactive', 'batch', 'inference', 'system']), 'interactive'),
  cluster_role: orDefault(z.string().min(1).max(64), 'main'),
  cluster_idx: orDefault(count, 1),
  cluster_hostname: textOrEmpty,
  uid: optional(count),
  main_gid: optional(count),
  supplementary_gids: orDefault(z.array(count).max(1_024), []),
  resource_slots: orDefault(z.record(z.string(), amount), {}),
  resource_opts: orDefault(resourceOptions, { shmem: undefined, allow_fractional_resource_fragmentation: true }),
  environ: orDefault(textMap, {}),
  mounts: orDefault(z.array(mount).max(1_000), []),
  bootstrap_script: optional(lines),
  internal_data: orDefault(internalData, internalData.parse({})),
  auto_pull: optional(autoPull),
  preopen_ports: orDefault(z.array(z.int().min(1).max(65_535)).max(1_000), []),
  agent_addr: textOrEmpty,
  scaling_group: orDefault(z.string(), 'default'),
});

type KernelConfig = z.infer<typeof kernelConfig>;

const clusterInfo = z
  .object({
    mode: z.preprocess((value) => foldWord(value) ?? 'single-node', z.string().min(1)),
    size: orDefault(z.int().min(1), 1),
    replicas: orDefault(z.record(z.string(), count), { main: 1 }),
    network_config: freeMap,
    ssh_keypair: optional(sshKeypair),
    cluster_ssh_port_mapping: optional(z.record(z.string(), z.tuple([z.string(), z.int().min(1).max(65_535)]))),
  })
  .transform((info): ClusterInfo => ({
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
