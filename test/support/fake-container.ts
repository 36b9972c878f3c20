import type {
  ContainerDetails,
  ContainerSpec,
  ContainerState,
  ImageDetails,
} from '../../src/application/ports/container-engine.port.js';

/** A container of the fake engine: a spec, a state, a log and some files, but no program. */
export class FakeContainer {
  state: ContainerState = 'created';
  pid = 0;
  exitCode = 0;
  oomKilled = false;
  startedAtMs = 0;
  finishedAtMs = 0;
  ipAddress = '';
  /** True = does nothing on its stop signal and is killed after the grace. */
  ignoresStopSignal = false;
  readonly files = new Map<string, Buffer>();
  readonly labels: Readonly<Record<string, string>>;
  readonly #log: Buffer[] = [];
  readonly #followers = new Set<() => void>();

  constructor(
    readonly id: string,
    readonly spec: ContainerSpec,
    readonly imageDetails: ImageDetails,
  ) {
    this.labels = { ...imageDetails.labels, ...spec.labels };
  }

  get name(): string {
    return this.spec.name;
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  /** What the program in it printed. */
  print(text: string): void {
    this.#log.push(Buffer.from(text));
    this.changed();
  }

  /** To be called after each change of state. */
  changed(): void {
    for (const wake of [...this.#followers]) wake();
  }

  async *log(options: { follow?: boolean; tail?: number }, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (options.tail !== undefined) {
      const lines = Buffer.concat(this.#log)
        .toString()
        .split(/(?<=\n)/);
      yield Buffer.from(lines.slice(Math.max(0, lines.length - options.tail)).join(''));
      return;
    }
    for (let next = 0; ;) {
      signal.throwIfAborted();
      const chunk = this.#log[next];
      if (chunk) {
        next += 1;
        yield chunk;
      } else if (options.follow && this.isRunning) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            this.#followers.delete(wake);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          this.#followers.add(wake);
          signal.addEventListener('abort', wake, { once: true });
        });
      } else return;
    }
  }

  details(): ContainerDetails {
    return {
      id: this.id,
      name: this.name,
      state: this.state,
      labels: this.labels,
      image: this.spec.image,
      imageId: this.imageDetails.id,
      pid: this.pid,
      exitCode: this.exitCode,
      oomKilled: this.oomKilled,
      error: '',
      startedAtMs: this.startedAtMs,
      finishedAtMs: this.finishedAtMs,
      ports: this.spec.ports,
      mounts: this.spec.mounts.map(({ source, target }) => ({ source, target })),
      cgroupParent: '',
      ipAddress: this.ipAddress,
      limits: this.spec.limits,
    };
  }
}
