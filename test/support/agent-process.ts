import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../dist/infrastructure/main.js', import.meta.url));
const WAIT_MS = 60_000;

export interface Ended {
  /** `null` = ended by a signal. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built program as a process of its own, with all that it writes. */
export class AgentProcess implements AsyncDisposable {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    if (!existsSync(PROGRAM)) throw new Error('the program is not built: run "node scripts/build.mjs"');
    // A proxy, a configuration or an engine of the developer's own would only be in the way; HOME is where Docker looks.
    const { PATH = '', HOME = '/', DOCKER_HOST } = process.env;
    const engine = DOCKER_HOST === undefined ? {} : { DOCKER_HOST };
    this.#child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH, HOME, ...engine, ...env } });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#tell();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#tell();
    });
    this.#child.stdin.on('error', () => undefined);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (status) => {
        resolve({ status, stdout: this.stdout, stderr: this.stderr });
        this.#tell();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Resolves when the output is as wanted; rejects, with all of it, when the process ends before or takes too long. */
  async until(isThere: (process: AgentProcess) => boolean, ms = WAIT_MS): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const finish = (why?: string): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (why === undefined) resolve();
        else reject(new Error(`${why}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`));
      };
      const look = (): void => {
        if (isThere(this)) finish();
        else if (!this.isRunning) finish('the process ended before');
      };
      const timer = setTimeout(() => finish(`not within ${ms} ms`), ms);
      this.#watchers.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) this.#child.kill('SIGKILL');
    await this.ended;
  }

  #tell(): void {
    for (const look of this.#watchers) look();
  }
}
