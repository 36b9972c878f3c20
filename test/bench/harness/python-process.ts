import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

/** Of what the helper says on stderr: for the error when it ends. */
const KEPT_CHARACTERS = 2_000;

/** A helper that answers each line of its stdin with one line of JSON, and says `"ready"` first. */
export class PythonProcess implements AsyncDisposable {
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #said = '';

  private constructor(private readonly child: ChildProcess) {
    if (!child.stdout) throw new Error('the helper has no stdout');
    this.#reader = createInterface({ input: child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    child.stderr?.on('data', (chunk: Buffer) => (this.#said = (this.#said + chunk.toString()).slice(-KEPT_CHARACTERS)));
  }

  static async start(command: string, args: readonly string[]): Promise<PythonProcess> {
    const helper = new PythonProcess(spawn(command, args, { stdio: 'pipe' }));
    if ((await helper.#answer()) !== 'ready') throw new Error(`${command} is not ready`);
    return helper;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  ask(question: string): Promise<unknown> {
    this.child.stdin?.write(`${question}\n`);
    return this.#answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.stdin?.end();
    this.child.kill();
    await exited;
  }

  async #answer(): Promise<unknown> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the helper ended: ${this.#said.trim()}`);
    return JSON.parse(line.value);
  }
}
