import { inject, injectable } from 'inversify';
import { type ImageLabels, parseImageLabels } from '../../../domain/image/image-labels.js';
import { ImageRef } from '../../../domain/image/image-ref.js';
import { containerLabels } from '../../../domain/kernel/container-labels.js';
import { containerName } from '../../../domain/kernel/container-name.js';
import type { Kernel } from '../../../domain/kernel/kernel.js';
import type { VfolderMount } from '../../../domain/kernel/kernel-spec.js';
import { clusterHosts, clusterNetwork, intrinsicPortsFile } from '../../../domain/network/cluster-network.js';
import { unifiedDevices } from '../../../domain/resource/resource-spec.js';
import { writeResourceTxt } from '../../../domain/resource/resource-txt.js';
import { buildEnvironment } from '../../../domain/scratch/build-environment.js';
import { type KernelIdentity, resolveIdentity } from '../../../domain/scratch/identity.js';
import { planConfigFiles, planScratchFiles } from '../../../domain/scratch/plan-scratch-files.js';
import type { ScratchFile } from '../../../domain/scratch/scratch-layout.js';
import { planBindings } from '../../../domain/service-port/plan-service-ports.js';
import { resolveMounts } from '../../../domain/vfolder/mount-rules.js';
import { AgentSettings } from '../../agent-settings.js';
import { AcceleratorPlugins, type ContainerContribution } from '../../ports/accelerator-plugin.port.js';
import type { ContainerSpec, Mount } from '../../ports/container-engine.port.js';
import { IdGenerator } from '../../ports/id-generator.port.js';
import { RunnerRuntime } from '../../ports/runner-runtime.port.js';
import { ScratchStore } from '../../ports/scratch-store.port.js';
import { attachedDevices, slotTypesOf } from '../device-kinds.js';
import type { LiveKernel } from '../live-kernel.js';

/** What a kernel's container and its scratch files will be; a function of the kernel, its image and this node. */
export interface Composition {
  readonly container: ContainerSpec;
  readonly files: readonly ScratchFile[];
  readonly identity: KernelIdentity;
}

/** As the reference has it (lifecycle.md §1.21). */
const LOG_FILES = 5;
const MIN_LOG_FILE_BYTES = 65_536;

export function kernelContainerName(kernel: Kernel): string {
  return containerName(ImageRef.parse(kernel.spec.image.canonical).name, kernel.id);
}

/** Puts together what lifecycle.md §1.8–1.21 say of a container. */
@injectable()
export class KernelComposer {
  constructor(
    @inject(AgentSettings) private readonly settings: AgentSettings,
    @inject(AcceleratorPlugins) private readonly plugins: AcceleratorPlugins,
    @inject(RunnerRuntime) private readonly runtime: RunnerRuntime,
    @inject(ScratchStore) private readonly scratch: ScratchStore,
    @inject(IdGenerator) private readonly ids: IdGenerator,
  ) {}

  compose(live: LiveKernel): Composition {
    const { kernel } = live;
    const { spec } = kernel;
    const labels = parseImageLabels({ ...live.image?.labels, ...spec.image.labels });
    const identity = resolveIdentity(spec.identity, labels.uidMatch, this.settings.container);
    const launch = this.runtime.launch(labels.runtimeType, labels.runtimePath);
    const vfolders = this.vfolders(kernel);
    const contributions = this.#contributions(kernel);
    const environ = this.#environment(kernel, labels, identity, vfolders, contributions);
    const mounts = this.#mounts(kernel, vfolders, [...launch.mounts, ...contributions.flatMap((c) => c.mounts ?? [])]);
    const resourceTxt = this.#resourceTxt(kernel, mounts);
    const isRestart = kernel.state === 'RESTARTING';
    const files = isRestart
      ? planConfigFiles(environ, resourceTxt)
      : planScratchFiles({ spec, environ, resourceTxt, hostKeySeed: this.ids.hex(32), mounts: vfolders });
    return {
      identity,
      files: [...files, ...this.#hostPortFiles(kernel)],
      container: {
        ...this.#base(kernel, labels),
        entrypoint: launch.entrypoint,
        cmd: launch.cmd,
        // What shields the runner while it is root is not for programs: they get environ.txt.
        env: { ...environ, ...launch.env },
        mounts,
        capAdd: launch.capAdd,
        devices: contributions.flatMap((c) => c.devices ?? []),
        deviceRequests: contributions.flatMap((c) => c.deviceRequests ?? []),
        groupAdd: contributions.flatMap((c) => c.groupAdd ?? []),
        securityOpt: [
          // sudo is the one thing that must gain privileges.
          ...(spec.sudoSessionEnabled ? [] : ['no-new-privileges']),
          ...contributions.flatMap((c) => c.securityOpt ?? []),
        ],
        limits: Object.assign(
          {
            cpusetCpus: '',
            cpuQuotaCores: 0,
            memoryBytes: 0,
            memorySwapBytes: 0,
            pids: this.settings.container.pidsLimit,
            shmBytes: spec.shmemBytes ?? labels.preferredShmemBytes ?? 0,
          },
          ...contributions.map((c) => c.limits ?? {}),
        ) as ContainerSpec['limits'],
      },
    };
  }

  /** The mounts that a kernel really gets, by absolute kernel paths. */
  vfolders({ spec }: Kernel): readonly VfolderMount[] {
    const mounts = resolveMounts(spec.mounts, this.settings.container.protectedPaths);
    return spec.preventVfolderMounts ? mounts.filter((mount) => mount.name === '.logs') : mounts;
  }

  /** What does not depend on devices, mounts and the runner. */
  #base(kernel: Kernel, labels: ImageLabels) {
    const { spec } = kernel;
    const { container } = this.settings;
    return {
      name: kernelContainerName(kernel),
      image: spec.image.canonical,
      workingDir: '/home/work',
      hostname: spec.clusterHostname,
      labels: containerLabels({
        agentId: this.settings.agentId,
        kernelId: kernel.id,
        sessionId: kernel.sessionId,
        blockServicePorts: spec.blockServicePorts,
        servicePorts: labels.servicePorts,
        preopenPorts: spec.preopenPorts,
        ...(spec.ownerUserId === undefined ? {} : { ownerUserId: spec.ownerUserId }),
        ...(spec.ownerProjectId === undefined ? {} : { ownerProjectId: spec.ownerProjectId }),
      }),
      // The runner begins as root to become the kernel's user (ADR 2); an image's own USER would be in its way.
      user: '0:0',
      tty: true,
      stopSignal: 'SIGINT',
      ...this.#network(kernel),
      init: true,
      capDrop: ['ALL'],
      ulimits: [{ name: 'nofile', soft: container.openFilesLimit, hard: container.openFilesLimit }],
      log: {
        driver: container.logDriver,
        options: {
          'max-size': String(Math.max(MIN_LOG_FILE_BYTES, Math.floor(container.logMaxLengthBytes / LOG_FILES))),
          'max-file': String(LOG_FILES),
          compress: 'false',
        },
      },
    };
  }

  /** Cluster network of the Manager (lifecycle.md §1.9), or the configured bridge, or the engine's default. */
  #network({
    spec,
    servicePorts,
    replInPort,
    replOutPort,
  }: Kernel): Pick<ContainerSpec, 'network' | 'ports' | 'extraHosts'> {
    const { bindHost, loopbackServices, alternativeBridge } = this.settings.container;
    const network = clusterNetwork(spec.cluster.networkConfig);
    // There is nothing to publish on the host's own network.
    if (network.kind === 'host')
      return { network: { name: 'host', aliases: [] }, ports: [], extraHosts: clusterHosts(spec) };
    const published = {
      ports: planBindings(servicePorts, { inPort: replInPort, outPort: replOutPort }, bindHost, loopbackServices),
      extraHosts: [],
    };
    if (network.kind === 'named') {
      return { ...published, network: { name: network.name, aliases: [spec.clusterHostname] } };
    }
    return alternativeBridge === null ? published : { ...published, network: { name: alternativeBridge, aliases: [] } };
  }

  /** Tells a runner on the host's own network which ports are its own. */
  #hostPortFiles({ spec, servicePorts, replInPort, replOutPort }: Kernel): readonly ScratchFile[] {
    if (clusterNetwork(spec.cluster.networkConfig).kind !== 'host') return [];
    const intrinsic = servicePorts.filter(({ name }) => name === 'sshd' || name === 'ttyd');
    const services = intrinsic.map(({ name, hostPorts }) => [name, hostPorts[0] ?? 0] as const);
    return [intrinsicPortsFile({ replin: replInPort, replout: replOutPort, ...Object.fromEntries(services) })];
  }

  #contributions({ allocation }: Kernel): readonly ContainerContribution[] {
    return this.plugins.flatMap((plugin) => {
      const share = allocation[plugin.key];
      return share ? [plugin.contribute(share)] : [];
    });
  }

  #environment(
    kernel: Kernel,
    labels: ImageLabels,
    identity: KernelIdentity,
    mounts: readonly VfolderMount[],
    contributions: readonly ContainerContribution[],
  ): Record<string, string> {
    return buildEnvironment({
      spec: kernel.spec,
      identity,
      image: kernel.spec.image.canonical,
      servicePortsLabel: labels.servicePorts,
      coreCountVariables: labels.coreCountVariables,
      mounts,
      allocation: kernel.allocation,
      attached: attachedDevices(this.plugins, kernel.allocation),
      deviceEnv: contributions.map((contribution) => contribution.env ?? {}),
    });
  }

  #mounts(kernel: Kernel, vfolders: readonly VfolderMount[], more: readonly Mount[]): readonly Mount[] {
    const paths = this.scratch.paths(kernel.id);
    const bind = (source: string, target: string, readOnly: boolean): Mount => ({
      type: 'bind',
      source,
      target,
      readOnly,
    });
    return [
      bind(paths.config, '/home/config', true),
      bind(paths.work, '/home/work', false),
      ...this.settings.container.timeZoneFiles.map((path) => bind(path, path, true)),
      ...vfolders.map((mount) => bind(mount.hostPath, mount.kernelPath, mount.permission === 'ro')),
      ...more,
    ];
  }

  #resourceTxt(kernel: Kernel, mounts: readonly Mount[]): string {
    const slotTypes = slotTypesOf(this.plugins);
    const deviceLines: Record<string, string> = {};
    for (const plugin of this.plugins) {
      const share = kernel.allocation[plugin.key];
      if (share) Object.assign(deviceLines, plugin.resourceLines(share));
    }
    return writeResourceTxt(
      {
        mounts: mounts
          .filter((mount) => mount.type !== 'tmpfs')
          .map(({ source, target, readOnly }) => ({ source, target, permission: readOnly ? 'ro' : 'rw' })),
        slots: kernel.slots,
        unifiedDevices: unifiedDevices(slotTypes),
        allocation: kernel.allocation,
        deviceLines,
      },
      slotTypes,
    );
  }
}
