import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '../../boot/account.js';
import type { Environment } from '../../boot/child-environment.js';
import type { Console } from '../../console.js';
import { startChild, type Child } from '../../process/child.js';
import { OutputPump } from '../../process/output-pump.js';
import { endedChildrenFaults } from '../../process/process-tree.js';
import type { FrameSender } from '../../wire/frame-sender.js';
import { LanguageProcessGone, type QueryEngine, type RunSink } from '../query-engine.js';
import { LastWords } from './last-words.js';
import { connectionInfo, JupyterClient, type ReceivedMessage } from './jupyter-client.js';
import { JupyterRun } from './jupyter-run.js';
import type { Kernelspec } from './kernelspec.js';
import { lateOutputMs, promptArgv } from './prompt-output.js';

const START_TIMEOUT_MS = 30_000;
const PROBE_EVERY_MS = 100;

export interface JupyterOptions {
  readonly spec: Kernelspec;
  readonly env: Environment;
  readonly sender: FrameSender;
  readonly console: Console;
}

/** A Jupyter kernel of the image as a child process, spoken to over ipc. */
export class JupyterEngine implements QueryEngine {
  private gone = false;
  private ready: () => void = () => undefined;
  private current: JupyterRun | undefined;
  private completion: { readonly id: string; readonly resolve: (matches: string[]) => void } | undefined;
  private paused = false;

  private constructor(
    private readonly options: JupyterOptions,
    private readonly child: Child,
    private readonly client: JupyterClient,
    private readonly pumps: readonly OutputPump[],
    private readonly lastWords: LastWords,
  ) {}

  get what(): string {
    return this.options.spec.name;
  }

  get alive(): boolean {
    return !this.gone;
  }

  /** Starts the kernel and waits until it answers on shell and iopub, so that no early output is lost. */
  static async start(options: JupyterOptions): Promise<JupyterEngine> {
    const { spec, env, sender, console } = options;
    const directory = mkdtempSync('/tmp/.krunner-jupyter-');
    const key = randomBytes(32).toString('hex');
    const base = join(directory, 'k');
    const file = join(directory, 'connection.json');
    writeFileSync(file, JSON.stringify(connectionInfo(base, key, spec.name)), { mode: 0o600 });
    const argv = promptArgv(spec).map((part) => part.replaceAll('{connection_file}', file));
    const cleanUp = (): void => rmSync(directory, { recursive: true, force: true });
    let child: Child;
    try {
      child = await startChild(argv, { cwd: HOME, env: { ...env, ...spec.env } });
    } catch (error) {
      cleanUp();
      throw error;
    }
    // Set before the first message can arrive: sockets deliver in later turns of the event loop.
    const late: { engine?: JupyterEngine } = {};
    const client = new JupyterClient(base, key, (message) => late.engine?.receive(message));
    // The kernel sends the user's output by messages and repeats some of it here, so this goes to the log only.
    const last = new LastWords(sender);
    const pumps = [
      new OutputPump(child.stdout, 'stdout', last, console),
      new OutputPump(child.stderr, 'stderr', last, console),
    ];
    const engine = (late.engine = new JupyterEngine(options, child, client, pumps, last));
    void child.exited.then(() => {
      engine.gone = true;
      client.close();
      cleanUp();
    });
    try {
      await engine.waitUntilReady();
    } catch (error) {
      await engine.abandon();
      throw error;
    }
    return engine;
  }

  async run(code: string, sink: RunSink): Promise<number> {
    const id = this.client.request('shell', 'execute_request', {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: true,
      // A failed run makes ipykernel drop what comes in the next moments, and that is the next run.
      stop_on_error: false,
    });
    const run = new JupyterRun(id, sink, (question, value) => this.client.reply(question, 'input_reply', { value }));
    this.current = run;
    const faultsBefore = endedChildrenFaults(this.child.pid);
    const outcome = await Promise.race([run.finished, this.child.exited]);
    // What programs wrote is sent some time later, so also after the kernel has become idle.
    if (typeof outcome === 'number' && endedChildrenFaults(this.child.pid) !== faultsBefore) {
      await new Promise((resolve) => setTimeout(resolve, lateOutputMs(this.options.spec)));
    }
    run.tellResult();
    this.current = undefined;
    if (typeof outcome === 'number') return outcome;
    await this.abandon();
    const fatal = this.lastWords.fatalError();
    if (fatal !== undefined) sink.frame({ kind: 'stderr', payload: fatal });
    throw new LanguageProcessGone(outcome, run.started);
  }

  interrupt(): void {
    if (this.options.spec.interruptByMessage) this.client.request('control', 'interrupt_request', {});
    else this.child.signal('SIGINT');
  }

  complete(code: string, cursor: number): Promise<string[]> {
    const id = this.client.request('shell', 'complete_request', { code, cursor_pos: cursor });
    return new Promise((resolve) => (this.completion = { id, resolve }));
  }

  async close(graceMs: number): Promise<void> {
    await this.child.terminate(graceMs);
    this.client.close();
    for (const pump of this.pumps) pump.abandon();
  }

  private receive(message: ReceivedMessage): void {
    if (message.channel === 'iopub' && message.type === 'status') this.ready();
    if (message.type === 'complete_reply' && message.parentId === this.completion?.id) {
      const matches = message.content['matches'];
      const list = Array.isArray(matches) ? (matches as unknown[]).filter((match) => typeof match === 'string') : [];
      this.completion?.resolve(list);
    }
    this.current?.receive(message);
    this.pauseWhenCongested();
  }

  /**
   * A kernel that prints faster than the agent reads is stopped until there is room again: its iopub socket would
   * drop messages otherwise, among them the one that ends the run.
   */
  private pauseWhenCongested(): void {
    if (!this.options.sender.congested || this.paused) return;
    this.paused = true;
    this.child.signal('SIGSTOP');
    void this.options.sender.room().then(() => {
      this.paused = false;
      this.child.signal('SIGCONT');
    });
  }

  private async waitUntilReady(): Promise<void> {
    const probe = (): unknown => this.client.request('shell', 'kernel_info_request', {});
    const timer = setInterval(probe, PROBE_EVERY_MS);
    probe();
    let deadline: NodeJS.Timeout | undefined;
    try {
      await Promise.race([
        new Promise<void>((resolve) => (this.ready = resolve)),
        this.child.exited.then(({ code, signal }) => {
          throw new Error(`it ended while starting (${signal ?? `exit code ${code ?? -1}`})`);
        }),
        new Promise((_resolve, reject) => {
          deadline = setTimeout(() => reject(new Error('it did not answer within 30 s')), START_TIMEOUT_MS);
        }),
      ]);
    } finally {
      clearInterval(timer);
      clearTimeout(deadline);
      this.ready = () => undefined;
    }
  }

  private async abandon(): Promise<void> {
    this.child.kill();
    await OutputPump.drained(this.pumps);
    for (const pump of this.pumps) pump.abandon();
    this.client.close();
  }
}
