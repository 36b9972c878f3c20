import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LINK = fileURLToPath(new URL('../fixtures/network/slow_link.py', import.meta.url));
const STEP_MS = 10_000;

export interface Slowness {
  /** Of each packet, one way. */
  readonly delayMs: number;
  /** One way. */
  readonly lossPercent: number;
  /** The same packets are lost again. */
  readonly seed: number;
}

/** Why there can be no slow network on this machine, or `undefined`. */
export async function slowNetworkMissing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'only root can make network devices';
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun';
  try {
    for (const [program, option] of [
      ['ip', '-V'],
      ['nsenter', '-V'],
      ['python3', '-V'],
    ] as const)
      await run(program, [option]);
    return undefined;
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).path ?? 'a program'} not found: apt-get install iproute2 util-linux python3`;
  }
}

/** A slow line from this machine to the network namespace of a process, with an address at each end. */
export class SlowNetwork implements AsyncDisposable {
  private constructor(
    /** This machine's address on the line. */
    readonly here: string,
    readonly there: string,
    /** What a command is put behind to run at the other end. */
    readonly inside: readonly string[],
    private readonly link: ChildProcessWithoutNullStreams,
  ) {}

  static async to(pid: number, { delayMs, lossPercent, seed }: Slowness): Promise<SlowNetwork> {
    const [near, far] = [`slow${pid}a`, `slow${pid}b`];
    const subnet = `10.213.${pid % 256}`;
    const inside = ['nsenter', `--net=/proc/${pid}/ns/net`];
    const link = spawn('python3', [LINK, near, far, String(delayMs), String(lossPercent), String(seed)]);
    const network = new SlowNetwork(`${subnet}.1`, `${subnet}.2`, inside, link);
    try {
      await once(link.stdout, 'data', { signal: AbortSignal.timeout(STEP_MS) });
      await ip('link', 'set', far, 'netns', String(pid));
      await ip('address', 'add', `${network.here}/30`, 'dev', near);
      await ip('link', 'set', near, 'up');
      await network.run('ip', 'address', 'add', `${network.there}/30`, 'dev', far);
      await network.run('ip', 'link', 'set', far, 'up');
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** stdout of a command at the other end. */
  async run(...command: readonly string[]): Promise<string> {
    const [program = '', ...args] = [...this.inside, ...command];
    return (await run(program, args, { timeout: STEP_MS })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.link.exitCode !== null || this.link.signalCode !== null) return;
    const ended = once(this.link, 'exit');
    this.link.kill();
    await ended;
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await run('ip', args, { timeout: STEP_MS });
}
