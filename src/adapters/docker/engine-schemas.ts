import { z } from 'zod';
import type {
  ContainerDetails,
  ContainerState,
  ContainerSummary,
  EngineInfo,
  ImageDetails,
  PortBinding,
} from '../../application/ports/container-engine.port.js';

/** What of the engine's JSON is used, checked and put into the port's words. Go writes empty lists and maps as null. */

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const texts = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const textMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});
/** Docker's entry point and command are lists, or one string in images of old tools. */
const words = z.union([z.string().transform((word) => [word]), texts]);
/** RFC 3339 with nanoseconds; Go's zero time means never. */
const time = text.transform((value) => {
  const ms = Date.parse(value);
  return Number.isNaN(ms) || ms < 0 ? 0 : ms;
});
const name = z.string().transform((value) => value.replace(/^\//, ''));

const linuxArchitectures: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7l',
  '386': 'i686',
};

/** Go's names of architectures in Linux spelling; `docker info` already uses the latter. */
const architecture = text.transform((value) => linuxArchitectures[value] ?? value);

const stateWords: Readonly<Record<string, ContainerState>> = {
  created: 'created',
  running: 'running',
  paused: 'paused',
  restarting: 'restarting',
  removing: 'removing',
  exited: 'exited',
  dead: 'dead',
  // Podman's own words.
  configured: 'created',
  initialized: 'created',
  stopping: 'running',
  stopped: 'exited',
};

const state = z.string().transform((value, context): ContainerState => {
  const known = stateWords[value.toLowerCase()];
  if (known) return known;
  context.addIssue({ code: 'custom', message: `unknown container state ${JSON.stringify(value)}` });
  return z.NEVER;
});

export const idSchema = z.object({ Id: z.string().min(1) });

export const infoSchema = z
  .object({
    ServerVersion: text,
    Architecture: architecture,
    OSType: text,
    CgroupVersion: text,
    CgroupDriver: text,
    DockerRootDir: text,
    NCPU: number,
    MemTotal: number,
    SecurityOptions: texts,
    Runtimes: z.record(z.string(), z.unknown()).nullish(),
  })
  .transform((info): Omit<EngineInfo, 'apiVersion'> => ({
    version: info.ServerVersion,
    architecture: info.Architecture,
    osType: info.OSType,
    cgroupVersion: info.CgroupVersion === '2' ? 2 : 1,
    cgroupDriver: info.CgroupDriver,
    rootDirectory: info.DockerRootDir,
    cpus: info.NCPU,
    memoryBytes: info.MemTotal,
    rootless: info.SecurityOptions.some((option) => option.split(',').includes('name=rootless')),
    runtimes: Object.keys(info.Runtimes ?? {}),
  }));

const isTag = (tag: string): boolean => !tag.startsWith('<none>');

export const imageListSchema = z.array(
  z.object({ Id: z.string(), RepoTags: texts, RepoDigests: texts, Labels: textMap }).transform((image) => ({
    id: image.Id,
    tags: image.RepoTags.filter(isTag),
    digests: image.RepoDigests.filter(isTag),
    labels: image.Labels,
  })),
);

export const imageSchema = z
  .object({
    Id: z.string(),
    RepoTags: texts,
    RepoDigests: texts,
    Architecture: architecture,
    Os: text,
    Size: number,
    Config: z.object({ Labels: textMap, Env: texts, Entrypoint: words, Cmd: words, User: text }).nullish(),
  })
  .transform((image): ImageDetails => ({
    id: image.Id,
    tags: image.RepoTags.filter(isTag),
    digests: image.RepoDigests.filter(isTag),
    architecture: image.Architecture,
    os: image.Os,
    labels: image.Config?.Labels ?? {},
    env: image.Config?.Env ?? [],
    entrypoint: image.Config?.Entrypoint ?? [],
    cmd: image.Config?.Cmd ?? [],
    user: image.Config?.User ?? '',
    sizeBytes: image.Size,
  }));

export const containerListSchema = z.array(
  z
    .object({ Id: z.string(), Names: texts, State: state, Labels: textMap })
    .transform((container): ContainerSummary => ({
      id: container.Id,
      name: name.parse(container.Names[0] ?? ''),
      state: container.State,
      labels: container.Labels,
    })),
);

const bindings = z
  .record(z.string(), z.array(z.object({ HostIp: text, HostPort: text })).nullable())
  .nullish()
  .transform((ports): PortBinding[] =>
    Object.entries(ports ?? {}).flatMap(([key, hosts]) =>
      (hosts ?? [])
        .map((host) => ({
          containerPort: Number.parseInt(key, 10),
          hostPort: Number(host.HostPort),
          hostIp: host.HostIp,
        }))
        .filter((binding) => binding.hostPort > 0),
    ),
  );

export const containerSchema = z
  .object({
    Id: z.string(),
    Name: name,
    Image: text,
    Config: z.object({ Image: text, Labels: textMap, Tty: z.boolean().nullish() }),
    State: z.object({
      Status: state,
      Pid: number,
      ExitCode: number,
      OOMKilled: z.boolean().nullish(),
      Error: text,
      StartedAt: time,
      FinishedAt: time,
    }),
    HostConfig: z.object({
      CgroupParent: text,
      PortBindings: bindings,
      CpusetCpus: text,
      NanoCpus: number,
      CpuQuota: number,
      CpuPeriod: number,
      Memory: number,
      MemorySwap: number,
      PidsLimit: number,
      ShmSize: number,
    }),
    NetworkSettings: z.object({
      Ports: bindings,
      Networks: z.record(z.string(), z.object({ IPAddress: text })).nullish(),
    }),
    Mounts: z.array(z.object({ Source: text, Destination: text })).nullish(),
  })
  .transform(({ State: status, HostConfig: host, NetworkSettings: network, ...container }) => ({
    tty: container.Config.Tty ?? false,
    details: {
      id: container.Id,
      name: container.Name,
      state: status.Status,
      labels: container.Config.Labels,
      image: container.Config.Image,
      imageId: container.Image,
      pid: status.Pid,
      exitCode: status.ExitCode,
      oomKilled: status.OOMKilled ?? false,
      error: status.Error,
      startedAtMs: status.StartedAt,
      finishedAtMs: status.FinishedAt,
      // A container that does not run has only the wish for ports.
      ports: network.Ports.length > 0 ? network.Ports : host.PortBindings,
      mounts: (container.Mounts ?? []).map((mount) => ({ source: mount.Source, target: mount.Destination })),
      cgroupParent: host.CgroupParent,
      ipAddress: Object.values(network.Networks ?? {}).find((each) => each.IPAddress)?.IPAddress ?? '',
      limits: {
        cpusetCpus: host.CpusetCpus,
        cpuQuotaCores: host.NanoCpus > 0 ? host.NanoCpus / 1e9 : coresOfQuota(host.CpuQuota, host.CpuPeriod),
        memoryBytes: host.Memory,
        memorySwapBytes: host.MemorySwap,
        pids: Math.max(host.PidsLimit, 0),
        shmBytes: host.ShmSize,
      },
    } satisfies ContainerDetails,
  }));

function coresOfQuota(quota: number, period: number): number {
  const engineDefaultPeriod = 100_000;
  return quota > 0 ? quota / (period > 0 ? period : engineDefaultPeriod) : 0;
}

export const execSchema = z.object({ Running: z.boolean(), ExitCode: z.number().nullish() });

export const networkListSchema = z.array(
  z.object({ Id: z.string(), Name: z.string() }).transform((network) => ({ id: network.Id, name: network.Name })),
);

/** One item of a progress stream (pull, push, import). */
export const progressSchema = z
  .object({
    id: text,
    status: text,
    progressDetail: z.object({ current: number, total: number }).nullish(),
    error: text,
    errorDetail: z.object({ message: text }).nullish(),
  })
  .transform((item) => ({
    failure: (item.errorDetail?.message ?? '') || item.error,
    progress: {
      layer: item.id,
      status: item.status,
      currentBytes: item.progressDetail?.current ?? 0,
      totalBytes: item.progressDetail?.total ?? 0,
    },
  }));

export const eventSchema = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: textMap }),
  time: number,
});

/** The engine's clock in milliseconds since 1970, out of `/info`. */
export const engineTimeSchema = z.object({ SystemTime: time }).transform((info) => info.SystemTime);
