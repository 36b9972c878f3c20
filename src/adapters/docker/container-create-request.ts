import type { ContainerSpec, Mount } from '../../application/ports/container-engine.port.js';

const NANO_CPUS_PER_CORE = 1e9;

/** The body of `POST /containers/create` (lifecycle.md §1.21); limits of 0 and empty texts are left to the engine. */
export function containerCreateRequest(spec: ContainerSpec): Record<string, unknown> {
  return {
    Image: spec.image,
    Entrypoint: spec.entrypoint.length > 0 ? spec.entrypoint : null,
    Cmd: spec.cmd.length > 0 ? spec.cmd : null,
    Env: Object.entries(spec.env).map(([key, value]) => `${key}=${value}`),
    WorkingDir: spec.workingDir,
    Hostname: spec.hostname,
    Labels: spec.labels,
    User: spec.user,
    Tty: spec.tty,
    OpenStdin: spec.tty,
    StopSignal: spec.stopSignal,
    ExposedPorts: Object.fromEntries(spec.ports.map((port) => [portKey(port.containerPort), {}])),
    HostConfig: hostConfig(spec),
    ...(spec.network &&
      spec.network.aliases.length > 0 && {
        NetworkingConfig: { EndpointsConfig: { [spec.network.name]: { Aliases: spec.network.aliases } } },
      }),
  };
}

function hostConfig(spec: ContainerSpec): Record<string, unknown> {
  const { limits } = spec;
  return {
    Privileged: false,
    Init: spec.init,
    PublishAllPorts: false,
    PortBindings: portBindings(spec.ports),
    ...(spec.network && { NetworkMode: spec.network.name }),
    CapAdd: spec.capAdd,
    CapDrop: spec.capDrop,
    SecurityOpt: spec.securityOpt,
    GroupAdd: spec.groupAdd,
    ExtraHosts: spec.extraHosts,
    Ulimits: spec.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    ...(spec.log.driver && { LogConfig: { Type: spec.log.driver, Config: spec.log.options } }),
    Mounts: spec.mounts.map(mountRequest),
    Devices: spec.devices.map((device) => ({
      PathOnHost: device.hostPath,
      PathInContainer: device.containerPath,
      CgroupPermissions: device.permissions,
    })),
    DeviceRequests: spec.deviceRequests.map((request) => ({
      Driver: request.driver,
      DeviceIDs: request.deviceIds,
      Capabilities: request.capabilities,
    })),
    ...(limits.cpusetCpus && { CpusetCpus: limits.cpusetCpus }),
    ...(limits.cpuQuotaCores > 0 && { NanoCpus: Math.round(limits.cpuQuotaCores * NANO_CPUS_PER_CORE) }),
    ...(limits.memoryBytes > 0 && { Memory: limits.memoryBytes }),
    ...(limits.memorySwapBytes > 0 && { MemorySwap: limits.memorySwapBytes }),
    ...(limits.pids > 0 && { PidsLimit: limits.pids }),
    ...(limits.shmBytes > 0 && { ShmSize: limits.shmBytes }),
  };
}

function portBindings(ports: ContainerSpec['ports']): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    (bindings[portKey(port.containerPort)] ??= []).push({ HostIp: port.hostIp, HostPort: String(port.hostPort) });
  }
  return bindings;
}

function portKey(containerPort: number): string {
  return `${containerPort}/tcp`;
}

function mountRequest(mount: Mount): Record<string, unknown> {
  const base = { Type: mount.type, Target: mount.target, ReadOnly: mount.readOnly };
  switch (mount.type) {
    case 'bind':
      // Private: what is mounted below later, on either side, does not show up on the other.
      return { ...base, Source: mount.source, BindOptions: { Propagation: 'rprivate' } };
    case 'volume':
      return { ...base, Source: mount.source, VolumeOptions: {} };
    case 'tmpfs':
      return { ...base, TmpfsOptions: {} };
  }
}
