import { posix } from 'node:path';
import type { Call } from '../../src/application/ports/call.js';
import type { Clock } from '../../src/application/ports/clock.port.js';
import type {
  ContainerDetails,
  ContainerEngine,
  ContainerSpec,
  ContainerSummary,
  EngineEvent,
  EngineInfo,
  ExecResult,
  ExecSpec,
  LogOptions,
} from '../../src/application/ports/container-engine.port.js';
import { engineConflict, engineError, engineUnavailable, imageNotAvailable } from '../../src/domain/error/errors.js';
import { FakeContainer } from './fake-container.js';
import { FakeEvents } from './fake-events.js';
import type { EngineMethod, Fault } from './fake-faults.js';
import { FakeImageEngine } from './fake-image-engine.js';
import { sleep } from './sleep.js';
import { filesOfTar, tarOf } from './tar.js';

export interface FakeEngineOptions {
  /** Times of events, waits and deadlines; the system's time by default. */
  readonly clock?: Pick<Clock, 'now' | 'sleep'>;
}

const MAX_CAPTURE_BYTES = 1024 * 1024;

/**
 * A container engine in memory, which fails as it is told. It keeps the promises of the port: names are unique, a
 * running container holds its host ports, a network in use stays, events come in order.
 */
export class FakeContainerEngine extends FakeImageEngine implements ContainerEngine {
  readonly events = new FakeEvents();
  /** The program of a container: runs at each start. It may print, or `exit` it at once. */
  onStart: (container: FakeContainer) => void = () => undefined;
  onExec: (container: FakeContainer, command: ExecSpec) => ExecResult = () => ({ exitCode: 0, stdout: '', stderr: '' });
  readonly #networks = new Map<string, { id: string; name: string; labels: Readonly<Record<string, string>> }>();

  constructor(options: FakeEngineOptions = {}) {
    super(options.clock ?? { now: Date.now, sleep });
  }

  // --- what tests do to it -------------------------------------------------------------------------------------

  /** Makes calls of a method (`'*'` = of any) go wrong. */
  fail(method: EngineMethod | '*', fault: Fault): void {
    this.faults.add(method, fault);
  }

  /** Makes the `number`th call from now on (1 = the next) go wrong, whatever it is. */
  failCall(number: number, fault: Omit<Fault, 'after' | 'times'>): void {
    this.faults.add('*', { ...fault, after: number - 1, times: 1 });
  }

  /** Forgets all faults that are still to come. */
  heal(): void {
    this.faults.clear();
  }

  /** Lets the engine stop: every call fails until `start`, and containers die with it unless they are kept. */
  stop(options: { keepContainers?: boolean; loseEvents?: boolean } = {}): void {
    this.isDown = true;
    this.events.connect(false, engineUnavailable('The fake engine is stopped'));
    if (options.keepContainers) return;
    if (options.loseEvents) this.events.lose(undefined, Number.POSITIVE_INFINITY);
    for (const container of this.containersById.values()) if (container.isRunning) this.exit(container.id, 137);
    if (options.loseEvents) this.events.lose(undefined, 0);
  }

  start(): void {
    this.isDown = false;
    this.events.connect(true);
  }

  /** Cuts the event connection only; `start` makes it whole, with all that happened meanwhile. */
  cutEvents(): void {
    this.events.connect(false, engineUnavailable('The event connection was cut'));
  }

  /** The next `times` events, of one action or of any, are never told. */
  loseEvents(options: { action?: EngineEvent['action']; times?: number } = {}): void {
    this.events.lose(options.action, options.times ?? 1);
  }

  /** Ends the program of a container; `oom` as the kernel's OOM killer does. */
  exit(idOrName: string, exitCode: number, options: { oom?: boolean } = {}): void {
    const container = this.existing(idOrName);
    if (!container.isRunning) return;
    if (options.oom) this.#emit('oom', container);
    Object.assign(container, { state: 'exited', exitCode, oomKilled: options.oom ?? false, pid: 0, ipAddress: '' });
    container.finishedAtMs = this.clock.now();
    container.changed();
    this.#emit('die', container, { exitCode: String(exitCode) });
  }

  containers(): readonly FakeContainer[] {
    return [...this.containersById.values()];
  }

  /** Names of what still exists. */
  leftovers(): { readonly containers: readonly string[]; readonly networks: readonly string[] } {
    return {
      containers: [...this.containersById.values()].map(({ name }) => name),
      networks: [...this.#networks.values()].map(({ name }) => name),
    };
  }

  // --- the port ------------------------------------------------------------------------------------------------

  info(call: Call): Promise<EngineInfo> {
    return this.do('info', [], call, () => ({
      version: '20.10.24',
      apiVersion: '1.41',
      architecture: 'x86_64',
      osType: 'linux',
      cgroupVersion: 2,
      cgroupDriver: 'systemd',
      rootDirectory: '/var/lib/docker',
      cpus: 4,
      memoryBytes: 16 * 1024 ** 3,
      rootless: false,
      runtimes: ['runc'],
    }));
  }

  createContainer(spec: ContainerSpec, call: Call): Promise<string> {
    return this.do('createContainer', [spec], call, () => {
      if (this.container(spec.name)) throw engineConflict(`The name ${spec.name} is in use`);
      const image = this.images.get(spec.image);
      if (!image) throw imageNotAvailable(`There is no image ${spec.image}`);
      const container = new FakeContainer(this.newId(), spec, image);
      this.containersById.set(container.id, container);
      this.#emit('create', container);
      return container.id;
    });
  }

  startContainer(id: string, call: Call): Promise<void> {
    return this.do('startContainer', [id], call, () => {
      const container = this.existing(id);
      if (container.isRunning) return;
      const { network, ports } = container.spec;
      if (network && !this.#network(network.name) && !['bridge', 'host', 'none'].includes(network.name)) {
        throw engineError(`There is no network ${network.name}`);
      }
      const taken = this.#portsInUse();
      const busy = ports.find(({ hostPort }) => taken.has(hostPort));
      if (busy) throw engineConflict(`Port ${busy.hostPort} is already allocated`);
      this.lastId += 1;
      Object.assign(container, { state: 'running', pid: 1_000_000 + this.lastId, exitCode: 0, oomKilled: false });
      container.ipAddress = `172.17.${Math.floor(this.lastId / 250) % 250}.${(this.lastId % 250) + 2}`;
      container.startedAtMs = this.clock.now();
      this.#emit('start', container);
      this.onStart(container);
    });
  }

  stopContainer(id: string, graceMs: number, call: Call): Promise<void> {
    return this.do('stopContainer', [id, graceMs], call, async () => {
      const container = this.container(id);
      if (!container?.isRunning) return;
      if (container.ignoresStopSignal) await this.clock.sleep(graceMs, call.signal);
      this.exit(id, container.ignoresStopSignal ? 137 : 143);
    });
  }

  killContainer(id: string, signal: string, call: Call): Promise<void> {
    return this.do('killContainer', [id, signal], call, () => {
      if (!this.existing(id).isRunning) throw engineConflict(`Container ${id} is not running`);
      if (/KILL|^9$/.test(signal)) this.exit(id, 137);
      else if (/TERM|INT/.test(signal) && !this.existing(id).ignoresStopSignal) this.exit(id, 143);
    });
  }

  removeContainer(id: string, call: Call): Promise<void> {
    return this.do('removeContainer', [id], call, () => {
      const container = this.container(id);
      if (!container) return;
      this.exit(container.id, 137);
      this.containersById.delete(container.id);
      this.#emit('destroy', container);
    });
  }

  inspectContainer(idOrName: string, call: Call): Promise<ContainerDetails | undefined> {
    return this.do('inspectContainer', [idOrName], call, () => this.container(idOrName)?.details());
  }

  listContainers(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly ContainerSummary[]> {
    return this.do('listContainers', [labels], call, () =>
      [...this.containersById.values()]
        .filter((container) => includes(container.labels, labels))
        .map(({ id, name, state, labels: own }) => ({ id, name, state, labels: own })),
    );
  }

  async *containerLogs(id: string, options: LogOptions, call: Call): AsyncGenerator<Uint8Array> {
    const container = await this.do('containerLogs', [id, options], call, () => this.existing(id));
    yield* container.log(options, call.signal);
  }

  exec(id: string, command: ExecSpec, call: Call): Promise<ExecResult> {
    return this.do('exec', [id, command], call, () => {
      const container = this.existing(id);
      if (!container.isRunning) throw engineConflict(`Container ${id} is not running`);
      const { exitCode, stdout, stderr } = this.onExec(container, command);
      return { exitCode, stdout: stdout.slice(0, MAX_CAPTURE_BYTES), stderr: stderr.slice(0, MAX_CAPTURE_BYTES) };
    });
  }

  async *getArchive(id: string, path: string, call: Call): AsyncGenerator<Uint8Array> {
    const [name, data] = await this.do('getArchive', [id, path], call, () => {
      const file = this.existing(id).files.get(posix.normalize(path));
      if (!file) throw engineError(`There is no ${path} in container ${id}`);
      return [posix.basename(path), file] as const;
    });
    yield* tarOf({ [name]: data });
  }

  putArchive(id: string, path: string, tar: AsyncIterable<Uint8Array>, call: Call): Promise<void> {
    return this.do('putArchive', [id, path], call, async () => {
      const container = this.existing(id);
      for (const [name, data] of await filesOfTar(tar)) container.files.set(posix.join(path, name), data);
    });
  }

  createNetwork(name: string, labels: Readonly<Record<string, string>>, call: Call): Promise<string> {
    return this.do('createNetwork', [name, labels], call, () => {
      if (this.#network(name)) throw engineConflict(`Network ${name} already exists`);
      const id = this.newId();
      this.#networks.set(id, { id, name, labels });
      return id;
    });
  }

  removeNetwork(idOrName: string, call: Call): Promise<void> {
    return this.do('removeNetwork', [idOrName], call, () => {
      const network = this.#network(idOrName);
      if (!network) return;
      const user = [...this.containersById.values()].find(
        ({ spec, isRunning }) =>
          isRunning && (spec.network?.name === network.name || spec.network?.name === network.id),
      );
      if (user) throw engineConflict(`Network ${network.name} has active endpoints`);
      this.#networks.delete(network.id);
    });
  }

  listNetworks(labels: Readonly<Record<string, string>>, call: Call): Promise<readonly { id: string; name: string }[]> {
    return this.do('listNetworks', [labels], call, () =>
      [...this.#networks.values()]
        .filter((network) => includes(network.labels, labels))
        .map(({ id, name }) => ({ id, name })),
    );
  }

  /** A fault of this method is a connection that fails at first and comes back after its `ms` (100 by default). */
  async *watchEvents(
    sinceMs: number,
    call: Call,
    onConnection?: (connected: boolean, error?: Error) => void,
  ): AsyncGenerator<EngineEvent> {
    this.calls.push({ method: 'watchEvents', args: [sinceMs] });
    const fault = this.faults.next('watchEvents');
    if (fault) {
      onConnection?.(false, fault.error ?? engineUnavailable('The event connection failed'));
      await this.clock.sleep(fault.ms ?? 100, call.signal).catch(() => undefined);
    }
    yield* this.events.watch(sinceMs, call.signal, onConnection);
  }

  // --- inside --------------------------------------------------------------------------------------------------

  #emit(action: EngineEvent['action'], container: FakeContainer, more: Record<string, string> = {}): void {
    const attributes = { ...container.labels, image: container.spec.image, name: container.name, ...more };
    this.events.emit({
      action,
      containerId: container.id,
      name: container.name,
      timeMs: this.clock.now(),
      attributes,
    });
  }

  #network(idOrName: string) {
    return [...this.#networks.values()].find(({ id, name }) => id === idOrName || name === idOrName);
  }

  #portsInUse(): Set<number> {
    const running = [...this.containersById.values()].filter(({ isRunning }) => isRunning);
    return new Set(running.flatMap(({ spec }) => spec.ports.map(({ hostPort }) => hostPort)));
  }
}

function includes(own: Readonly<Record<string, string>>, asked: Readonly<Record<string, string>>): boolean {
  return Object.entries(asked).every(([key, value]) => own[key] === value);
}
