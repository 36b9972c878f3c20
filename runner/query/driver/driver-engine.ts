import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '../../boot/account.js';
import type { Environment } from '../../boot/child-environment.js';
import { startChild, type Child } from '../../process/child.js';
import { OutputPump } from '../../process/output-pump.js';
import type { PipePool } from '../../process/pipe-pool.js';
import type { FrameSender } from '../../wire/frame-sender.js';
import { displayFrame } from '../display.js';
import { LanguageProcessGone, type QueryEngine, type RunSink } from '../query-engine.js';
import type { Language } from '../runtime-choice.js';
import { LineSplitter, parseDriverEvent, type DriverEvent } from './driver-protocol.js';

const START_TIMEOUT_MS = 30_000;
const COMPLETION_TIMEOUT_MS = 10_000;
const REPEAT_INTERRUPT_MS = 300;

const SCRIPTS: Record<Exclude<Language, 'none'>, string> = {
  python: 'driver.py',
  node: 'driver.cjs',
  shell: 'driver.sh',
};

export interface DriverOptions {
  readonly language: Exclude<Language, 'none'>;
  readonly interpreter: string;
  readonly driverDirectory: string;
  readonly env: Environment;
  readonly pipes: PipePool;
  readonly sender: FrameSender;
}

/** A language process that runs our driver program: requests in and events out beside the user's own stdout and stderr. */
export class DriverEngine implements QueryEngine {
  readonly what: string;
  private gone = false;
  private onEvent: (event: DriverEvent) => void = () => undefined;
  private codeDirectory: string | undefined;
  private running = false;
  private runs = 0;

  private constructor(
    private readonly options: DriverOptions,
    private readonly child: Child,
    private readonly pumps: readonly OutputPump[],
  ) {
    this.what = options.language === 'shell' ? 'shell' : options.language;
    void child.exited.then(() => {
      this.gone = true;
      if (this.codeDirectory !== undefined) rmSync(this.codeDirectory, { recursive: true, force: true });
    });
    const lines = new LineSplitter();
    child.events?.on('data', (data: Buffer) => {
      for (const line of lines.push(data)) {
        const event = parseDriverEvent(line);
        if (event) this.onEvent(event);
      }
    });
  }

  /** Starts the process and waits until it is ready; rejects with a reason that can be shown to the user. */
  static async start(options: DriverOptions): Promise<DriverEngine> {
    const { language, interpreter, driverDirectory, env, pipes, sender } = options;
    const argv = [interpreter, join(driverDirectory, SCRIPTS[language])];
    const child = await startChild(argv, { cwd: HOME, env, pipes, control: true });
    const pumps = [new OutputPump(child.stdout, 'stdout', sender), new OutputPump(child.stderr, 'stderr', sender)];
    const engine = new DriverEngine(options, child, pumps);
    try {
      await engine.waitFor('ready', START_TIMEOUT_MS);
    } catch (error) {
      await engine.abandon();
      throw error;
    }
    return engine;
  }

  get alive(): boolean {
    return !this.gone;
  }

  async run(code: string, sink: RunSink): Promise<number> {
    this.running = true;
    this.runs += 1;
    // An event is told after all output that was written before it.
    let inOrder = Promise.resolve();
    const done = new Promise<number>((resolve) => {
      this.onEvent = (event) => {
        inOrder = inOrder.then(async () => {
          await OutputPump.drained(this.pumps);
          if (event.event === 'done') resolve(event.code);
          else if (event.event === 'display') sink.frame(displayFrame(event.mime, event.data));
          else if (event.event === 'input') void this.answer(event.password, sink);
        });
      };
    });
    this.request(this.options.language === 'shell' ? this.codeFile(code) : JSON.stringify({ op: 'run', code }));
    const outcome = await Promise.race([done, this.child.exited]);
    this.onEvent = () => undefined;
    this.running = false;
    if (typeof outcome === 'number') return outcome;
    await this.abandon();
    throw new LanguageProcessGone(outcome, true);
  }

  interrupt(): void {
    this.child.signal('SIGINT');
    if (this.options.language !== 'node') return;
    // Node loses a signal that arrives just while it leaves a script; a second one stops what still runs.
    const run = this.runs;
    setTimeout(() => {
      if (this.running && this.runs === run) this.child.signal('SIGINT');
    }, REPEAT_INTERRUPT_MS).unref();
  }

  async complete(code: string, cursor: number): Promise<string[]> {
    if (this.options.language !== 'python') return [];
    const answer = this.waitFor('completion', COMPLETION_TIMEOUT_MS);
    this.request(JSON.stringify({ op: 'complete', code, cursor }));
    const event = await answer;
    return event.event === 'completion' ? [...event.matches] : [];
  }

  async close(graceMs: number): Promise<void> {
    await this.child.terminate(graceMs);
    for (const pump of this.pumps) pump.abandon();
  }

  /** Sends what the process had written before its end, and lets go of the pipes, which what it started may hold on to. */
  private async abandon(): Promise<void> {
    this.child.kill();
    await OutputPump.drained(this.pumps);
    for (const pump of this.pumps) pump.abandon();
  }

  private async answer(isPassword: boolean, sink: RunSink): Promise<void> {
    this.request(JSON.stringify({ op: 'input', text: await sink.ask(isPassword) }));
  }

  private request(line: string): void {
    this.child.requests?.write(`${line}\n`);
  }

  /** The shell reads code from a file, since its language cannot take a text of several lines from a descriptor. */
  private codeFile(code: string): string {
    const path = join((this.codeDirectory ??= mkdtempSync('/tmp/.krunner-code-')), 'code');
    writeFileSync(path, code.endsWith('\n') ? code : `${code}\n`, { mode: 0o600 });
    return path;
  }

  private waitFor(name: DriverEvent['event'], timeoutMs: number): Promise<DriverEvent> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
      this.onEvent = (event) => {
        if (event.event !== name) return;
        clearTimeout(timer);
        resolve(event);
      };
      void this.child.exited.then(({ code, signal }) => {
        clearTimeout(timer);
        reject(new Error(`it ended at once (${signal ?? `exit code ${code ?? -1}`})`));
      });
    });
  }
}
