import { storageFailure } from '../../src/domain/error/errors.js';
import type { HostServices } from '../../src/application/ports/host-services.port.js';
import type { VolumeMounts } from '../../src/application/ports/volume-mounts.port.js';
import type { AcceleratorPlugin } from '../../src/application/ports/accelerator-plugin.port.js';
import type { HostPaths } from '../../src/application/ports/host-paths.port.js';
import type { HostPorts } from '../../src/application/ports/host-ports.port.js';
import type {
  KernelRunner,
  KernelRunnerAddress,
  KernelRunnerConnector,
} from '../../src/application/ports/kernel-runner.port.js';
import type { RunnerRuntime } from '../../src/application/ports/runner-runtime.port.js';
import type { Telemetry } from '../../src/application/ports/telemetry.port.js';
import type { ContainerUsage, UsageReading, UsageSource } from '../../src/application/ports/usage-source.port.js';
import { deadlineExceeded } from '../../src/domain/error/errors.js';
import type { ComputeDevice, DeviceSharing, SlotType } from '../../src/domain/resource/device.js';
import type { FakeContainer } from './fake-container.js';
import type { FakeContainerEngine } from './fake-container-engine.js';
import type { ManualClock } from './manual-clock.js';
import { MemoryHostPorts } from './memory-host-ports.js';
import { MemoryKernelRunner } from './memory-kernel-runner.js';

/** Devices of one slot, without hardware behind them. */
export function memoryPlugin(
  key: string,
  slotType: SlotType,
  sharing: DeviceSharing,
  devices: Readonly<Record<string, string>>,
): AcceleratorPlugin {
  return {
    key,
    slotTypes: { [key]: slotType },
    sharing,
    exclusiveSlots: [],
    metadata: {
      ...{ slotName: key, description: key, humanReadableName: key, displayUnit: key, displayIcon: key },
      numberFormat: { binary: false, roundLength: 0 },
    },
    discover: () =>
      Promise.resolve(
        Object.entries(devices).map(([deviceId, amount]): ComputeDevice => ({
          ...{ deviceId, deviceName: key, slotName: key, amount, numaNode: null, modelName: '', hwLocation: '' },
          ...{ memoryBytes: 0, processingUnits: 0 },
        })),
      ),
    contribute: () => ({}),
    resourceLines: () => ({}),
    attached: () => [],
    measure: () => Promise.resolve([]),
    describe: () => ({ version: '1' }),
  };
}

export const silentTelemetry: Telemetry = {
  count: () => undefined,
  observe: () => undefined,
  gauge: () => undefined,
  remove: () => undefined,
};

/** A runner that is just there. */
export const memoryRuntime: RunnerRuntime = {
  services: ['sshd'],
  prepare: () => Promise.resolve(),
  launch: () => ({ mounts: [], entrypoint: ['/runner'], cmd: [], env: {}, capAdd: [] }),
};

/** Below /srv there are directories, and nothing anywhere else. */
export const memoryHostPaths: HostPaths = {
  look: (path) => Promise.resolve(path.startsWith('/srv/') ? { kind: 'directory', realPath: path } : undefined),
};

/** Ports of a machine on which containers run: those that a running container has can't be held. */
export class MachinePorts implements HostPorts {
  readonly memory = new MemoryHostPorts();

  constructor(private readonly engine: FakeContainerEngine) {}

  hold(port: number): Promise<AsyncDisposable | undefined> {
    return containerOn(this.engine, port) ? Promise.resolve(undefined) : this.memory.hold(port);
  }
}

/** Runners that answer while their container runs. */
export class MachineRunners implements KernelRunnerConnector {
  readonly open = new Set<MemoryKernelRunner>();
  /** False = containers run, and the programs in them say nothing. */
  answering = true;

  constructor(
    private readonly engine: FakeContainerEngine,
    private readonly clock: ManualClock,
  ) {}

  connect({ replInPort }: KernelRunnerAddress): Promise<KernelRunner> {
    const runner = new MemoryKernelRunner();
    this.open.add(runner);
    const close = runner[Symbol.asyncDispose].bind(runner);
    runner[Symbol.asyncDispose] = () => {
      this.open.delete(runner);
      return close();
    };
    runner.answerStatus = async (call) => {
      if (this.answering && containerOn(this.engine, replInPort)) return { startedAt: 1 };
      await this.clock.sleep(call.timeoutMs ?? 10_000, call.signal);
      throw deadlineExceeded('the runner did not answer');
    };
    return Promise.resolve(runner);
  }
}

/** Counters that are open or closed, and always say the same. */
export class MachineUsage implements UsageSource {
  readonly opened = new Set<string>();
  oomKills = 0;

  open({ id }: { readonly id: string }): ContainerUsage {
    this.opened.add(id);
    return {
      read: () => this.#reading(),
      processes: () => [],
      [Symbol.dispose]: () => void this.opened.delete(id),
    };
  }

  readNode() {
    return {
      ...{ atMs: 0, cpuBusyMs: [0], memTotalBytes: 1, memUsedBytes: 0, netRxBytes: 0, netTxBytes: 0 },
      ...{ diskTotalBytes: 1, diskUsedBytes: 0, disks: [] },
    };
  }

  #reading(): UsageReading {
    return {
      ...{ atMs: 0, cpuMs: 1, memBytes: 2, memPeakBytes: 3, memLimitBytes: 4, oomKills: this.oomKills },
      ...{ netRxBytes: 0, netTxBytes: 0, ioReadBytes: 0, ioWriteBytes: 0, pids: 1 },
    };
  }
}

function containerOn(engine: FakeContainerEngine, port: number): FakeContainer | undefined {
  return engine
    .containers()
    .find(({ isRunning, spec }) => isRunning && spec.ports.some(({ hostPort }) => hostPort === port));
}

/** A machine without systemd. */
export const noServiceManager: HostServices = {
  state: () => Promise.resolve(undefined),
  act: () => Promise.resolve(false),
  cycle: () => Promise.resolve(false),
  powerOff: () => Promise.resolve(false),
};

export const noVolumeMounts: VolumeMounts = {
  list: () => Promise.resolve([]),
  mount: () => Promise.reject(storageFailure('no file system can be mounted here')),
  unmount: () => Promise.resolve(),
  fstab: () => Promise.resolve(''),
};
