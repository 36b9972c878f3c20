import { deathSentence, exitCodeOf } from '../process/exit-status.js';
import type { MemoryWatch } from '../process/memory-watch.js';
import type { FrameSender } from '../wire/frame-sender.js';
import { json, type Frame } from '../wire/frames.js';
import { LanguageProcessGone, type QueryEngine, type RunSink } from './query-engine.js';

const UNAVAILABLE = 127;
const COMPLETION_TIMEOUT_MS = 10_000;

export interface QueryDependencies {
  readonly sender: FrameSender;
  readonly memory: MemoryWatch;
  /** Starts the language process; a rejection's message is shown to the user. */
  readonly start: () => Promise<QueryEngine>;
}

/** Query mode: gives code to the language process, which is started for the first run and again after its end. */
export class QueryRunner implements RunSink {
  private engine: QueryEngine | undefined;
  private running = false;
  private interrupted = false;
  private stopping = false;
  private readonly typed: string[] = [];
  private asking: ((text: string) => void) | undefined;

  constructor(private readonly deps: QueryDependencies) {}

  get busy(): boolean {
    return this.running;
  }

  /** Runs one piece of code; resolves with its exit code when all its output is on the way. */
  async run(code: string): Promise<number> {
    this.running = true;
    this.interrupted = false;
    // Input that nobody asked for belongs to an earlier run (W15).
    this.typed.length = 0;
    let exitCode: number;
    try {
      exitCode = await this.attempt(code, true);
    } catch (error) {
      this.say(`The code cannot run: ${error instanceof Error ? error.message : String(error)}\n`);
      exitCode = UNAVAILABLE;
    }
    this.running = false;
    this.asking = undefined;
    return this.stopping && exitCode === 0 ? -15 : exitCode;
  }

  frame(frame: Frame): void {
    this.deps.sender.push(frame);
  }

  ask(isPassword: boolean): Promise<string> {
    this.frame(json('waiting-input', { is_password: isPassword }));
    const typed = this.typed.shift();
    return typed === undefined ? new Promise((resolve) => (this.asking = resolve)) : Promise.resolve(typed);
  }

  /** What the user typed: for who asks now, else for who asks next in this run. */
  input(text: string): void {
    if (this.asking) this.asking(text);
    else if (this.running && this.typed.length < 1000) this.typed.push(text);
    this.asking = undefined;
  }

  interrupt(): void {
    if (!this.running) return;
    this.interrupted = true;
    this.engine?.interrupt();
  }

  /** Suggestions; none while code runs or before the first run. */
  async complete(code: string, cursor: number): Promise<string[]> {
    if (this.running || !this.engine?.alive) return [];
    const late = new Promise<string[]>((resolve) => setTimeout(() => resolve([]), COMPLETION_TIMEOUT_MS).unref());
    return Promise.race([this.engine.complete(code, cursor).catch(() => []), late]);
  }

  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    await this.engine?.close(graceMs);
  }

  private async attempt(code: string, mayRetry: boolean): Promise<number> {
    if (this.engine?.alive !== true) {
      this.engine = undefined;
      this.engine = await this.deps.start();
      // An interrupt that came while the process was starting.
      if (this.wasInterrupted()) return 1;
    }
    const engine = this.engine;
    const killsBefore = this.deps.memory.kills();
    try {
      return await engine.run(code, this);
    } catch (error) {
      if (!(error instanceof LanguageProcessGone)) throw error;
      this.engine = undefined;
      if (this.stopping) return -15;
      // A process that was already leaving, after `exit()`, never saw this code.
      if (!error.started && mayRetry) return this.attempt(code, false);
      const leftByItself = error.status.signal === null && engine.what === 'shell';
      if (!leftByItself) this.say(deathSentence(engine.what, error.status, this.deps.memory.clauseSince(killsBefore)));
      return exitCodeOf(error.status);
    }
  }

  private wasInterrupted(): boolean {
    return this.interrupted;
  }

  private say(payload: string): void {
    this.frame({ kind: 'stderr', payload });
  }
}
