import type { IdGenerator } from '../../../application/ports/id-generator.port.js';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import type { Dotfile, ImageRequest, KernelSpec, VfolderMount } from '../../../domain/kernel/kernel-spec.js';
import type { CreateKernelDto, DotfileDto, MountDto } from './create-kernel.dto.js';

const DEFAULT_FILE_MODE = '644';

/** The specification of a kernel that stands alone: a session of one, with what the body leaves out filled in. */
export function toKernelSpec(dto: CreateKernelDto, ids: IdGenerator): KernelSpec {
  return {
    kernelId: parseKernelId(dto.kernel_id ?? ids.uuid()),
    sessionId: parseSessionId(dto.session_id ?? ids.uuid()),
    image: toImage(dto),
    sessionType: dto.session_type ?? 'interactive',
    clusterRole: 'main',
    clusterIdx: 1,
    clusterHostname: 'main1',
    cluster: { mode: 'single-node', size: 1, replicas: { main: 1 }, networkConfig: {} },
    identity: { supplementaryGids: [] },
    resourceSlots: textMap(dto.resource_slots),
    ...(dto.shmem_bytes === undefined ? {} : { shmemBytes: dto.shmem_bytes }),
    allowFractionalFragmentation: true,
    environ: textMap(dto.environ ?? {}),
    mounts: (dto.mounts ?? []).map(toMount),
    ...(dto.bootstrap_script === undefined ? {} : { bootstrapScript: dto.bootstrap_script }),
    dotfiles: (dto.dotfiles ?? []).map(toDotfile),
    preventVfolderMounts: false,
    blockServicePorts: dto.block_service_ports ?? false,
    sudoSessionEnabled: false,
    preopenPorts: dto.preopen_ports ?? [],
    agentAddr: '',
    scalingGroup: '',
  };
}

function toImage(dto: CreateKernelDto): ImageRequest {
  const credentials = dto.registry_credentials;
  return {
    canonical: dto.image,
    ...(dto.image_digest === undefined ? {} : { digest: dto.image_digest }),
    ...(dto.architecture === undefined ? {} : { architecture: dto.architecture }),
    ...(credentials === undefined
      ? {}
      : { credentials: { username: credentials.username, password: credentials.password } }),
    isLocal: false,
    autoPull: dto.auto_pull ?? (dto.image_digest === undefined ? 'tag' : 'digest'),
  };
}

function toMount(dto: MountDto): VfolderMount {
  return {
    name: dto.name ?? dto.target.split('/').findLast((segment) => segment !== '') ?? dto.target,
    hostPath: dto.source,
    kernelPath: dto.target,
    permission: dto.permission ?? 'rw',
    usageMode: 'general',
  };
}

function toDotfile(dto: DotfileDto): Dotfile {
  return { path: dto.path, mode: Number.parseInt(dto.mode ?? DEFAULT_FILE_MODE, 8), data: dto.data };
}

function textMap(map: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)]));
}
