import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Pull, Push } from 'zeromq';
import type { RunnerLaunch } from '../../src/application/ports/runner-runtime.port.js';
import type { RunnerKind, RunnerOp } from '../../src/domain/krunner-wire/krunner-wire.js';

const run = promisify(execFile);
const UID = 9001;

export interface RunnerContainerOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly environTxt?: string;
  /** Files below /home/work. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files below /home/config; those in `ssh` belong to the kernel's user. */
  readonly config?: Readonly<Record<string, string>>;
  /** Further arguments of `docker run`. */
  readonly args?: readonly string[];
}

export interface RunResult {
  readonly kind: RunnerKind;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Kind and text of every frame, neighbours of one kind joined. */
  readonly console: readonly (readonly [RunnerKind, string])[];
}

type Received = readonly [RunnerKind, Buffer];

/** A container with our runner as the agent would start it, and a bare peer that speaks frames with it. */
export class RunnerContainer {
  readonly received: Received[] = [];
  private readonly arrivals = new Set<() => void>();
  private push = new Push({ linger: 0, reconnectInterval: 10 });
  private pull = new Pull({ linger: 0, reconnectInterval: 10 });

  private constructor(
    readonly id: string,
    private readonly scratch: string,
    private readonly ports: readonly [string, string],
  ) {
    this.connect();
  }

  static async start(
    image: string,
    launch: RunnerLaunch,
    options: RunnerContainerOptions = {},
  ): Promise<RunnerContainer> {
    const scratch = await mkdtemp(join(tmpdir(), 'runner-test-'));
    const [work, config] = [join(scratch, 'work'), join(scratch, 'config')];
    await Promise.all([mkdir(work), mkdir(config)]);
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(work, name), text);
    await writeFile(join(config, 'environ.txt'), options.environTxt ?? '');
    for (const [name, text] of Object.entries(options.config ?? {})) {
      await mkdir(dirname(join(config, name)), { recursive: true });
      await writeFile(join(config, name), text, { mode: 0o600 });
      await chown(join(config, name), UID, UID);
    }
    await chown(work, UID, UID);
    const env = { LOCAL_USER_ID: String(UID), LOCAL_GROUP_ID: String(UID), ...launch.env, ...options.env };
    const [entrypoint = '', ...entryArgs] = launch.entrypoint;
    const args = [
      ...['run', '--detach', '--init', '--tty', '--interactive', '--workdir', '/home/work', '--stop-signal', 'SIGINT'],
      ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--entrypoint', entrypoint],
      ...launch.capAdd.flatMap((name) => ['--cap-add', name]),
      ...launch.mounts.flatMap(({ source, target }) => ['--volume', `${source}:${target}:ro`]),
      ...['--volume', `${work}:/home/work`, '--volume', `${config}:/home/config:ro`],
      ...['--publish', '127.0.0.1::2000', '--publish', '127.0.0.1::2001'],
      ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...(options.args ?? []),
      ...[image, ...entryArgs, ...launch.cmd],
    ];
    const id = (await run('docker', args)).stdout.trim();
    const port = async (inside: number): Promise<string> =>
      (await run('docker', ['port', id, `${inside}/tcp`])).stdout.trim().split('\n')[0] ?? '';
    return new RunnerContainer(id, scratch, [await port(2000), await port(2001)]);
  }

  async send(op: RunnerOp | 'nonsense', payload = ''): Promise<void> {
    await this.push.send([op, payload]);
  }

  /** Sends a run and waits for its finish frame. */
  async run(op: 'code' | 'exec' | 'build' | 'clean', payload: string, timeoutMs = 30_000): Promise<RunResult> {
    const from = this.received.length;
    await this.send(op, payload);
    return this.finished(from, timeoutMs);
  }

  /** The run whose frames begin at `from`. */
  async finished(from: number, timeoutMs = 30_000): Promise<RunResult> {
    const at = await this.waitFor(([kind]) => kind.endsWith('finished'), from, timeoutMs);
    const frames = this.received.slice(from, at);
    const [kind, payload] = this.received[at]!;
    const console: [RunnerKind, Buffer[]][] = [];
    for (const [name, data] of frames) {
      const last = console.at(-1);
      if (last?.[0] === name) last[1].push(data);
      else console.push([name, [data]]);
    }
    const textOf = (name: RunnerKind): string =>
      Buffer.concat(frames.filter(([each]) => each === name).map(([, data]) => data)).toString();
    return {
      kind,
      exitCode: (JSON.parse(payload.toString()) as { exitCode: number }).exitCode,
      stdout: textOf('stdout'),
      stderr: textOf('stderr'),
      console: console.map(([name, parts]) => [name, Buffer.concat(parts).toString()]),
    };
  }

  /** Index of the first frame from `from` on that suits. */
  async waitFor(suits: (frame: Received) => boolean, from = 0, timeoutMs = 30_000): Promise<number> {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const at = this.received.findIndex((frame, index) => index >= from && suits(frame));
      if (at >= 0) return at;
      if (Date.now() >= until) throw new Error(`no such frame; last ones: ${this.describeLast()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, until - Date.now()));
        this.arrivals.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Sends an op and gives the next frame of `kind`. */
  async ask(op: RunnerOp, payload: string, kind: RunnerKind, timeoutMs = 30_000): Promise<Buffer> {
    const from = this.received.length;
    await this.send(op, payload);
    return this.received[await this.waitFor(([name]) => name === kind, from, timeoutMs)]![1];
  }

  /** Goes away as an agent that stops does; `connect` comes back. */
  disconnect(): void {
    this.push.close();
    this.pull.close();
    this.push = new Push({ linger: 0, reconnectInterval: 10 });
    this.pull = new Pull({ linger: 0, reconnectInterval: 10 });
  }

  connect(): void {
    this.push.connect(`tcp://${this.ports[0]}`);
    this.pull.connect(`tcp://${this.ports[1]}`);
    void this.read(this.pull);
  }

  /** Where a port of the container is on this machine. */
  async portOf(inside: number): Promise<number> {
    const published = (await run('docker', ['port', this.id, `${inside}/tcp`])).stdout.trim();
    return Number(published.split('\n')[0]?.split(':').at(-1));
  }

  /** Output of a command on the engine's side, such as `docker logs`. */
  async docker(...args: string[]): Promise<string> {
    return (await run('docker', [...args, this.id], { maxBuffer: 64 << 20 })).stdout;
  }

  /** Runs a command in the container as root. */
  async exec(...command: string[]): Promise<string> {
    return (await run('docker', ['exec', this.id, ...command])).stdout;
  }

  /** The runner's own process id in the container: what the container's init has started. */
  async runnerPid(): Promise<string> {
    return (await this.exec('cat', '/proc/1/task/1/children')).trim().split(' ')[0] ?? '';
  }

  async remove(): Promise<void> {
    this.push.close();
    this.pull.close();
    await run('docker', ['rm', '--force', '--volumes', this.id]);
    await rm(this.scratch, { recursive: true, force: true });
  }

  private async read(pull: Pull): Promise<void> {
    try {
      for await (const [kind, payload] of pull) {
        this.received.push([kind!.toString() as RunnerKind, payload!]);
        for (const wake of this.arrivals) wake();
        this.arrivals.clear();
      }
    } catch {
      // Closed.
    }
  }

  private describeLast(): string {
    return this.received
      .slice(-5)
      .map(([kind, data]) => `${kind} ${data.toString().slice(0, 300)}`)
      .join(' | ');
  }
}
