import { readFileSync, writeFileSync } from 'node:fs';
import { HOME } from '../boot/account.js';
import type { Environment } from '../boot/child-environment.js';
import { signalQuietly } from '../process/process-tree.js';
import { Terminal, type TerminalSize } from '../process/terminal.js';
import { Utf8Chunker } from '../process/utf8-chunker.js';
import { Screen } from './screen.js';

/** Who sees a shell: one at a time. */
export interface Viewer {
  /** False: `Shell.release('viewer')` follows when there is room for more. */
  output(data: Buffer): boolean;
  title(text: string): void;
  ended(): void;
  takenOver(): void;
}

/** Why a shell's output is not read for now. */
type Hold = 'client' | 'viewer' | 'screen';

const SCREEN_AHEAD_BYTES = 1 << 20;
/** The kernel's limits should kill the user's program before the runner. */
const OOM_SCORE = '300';
const KILL_MS = 300;

/** A login shell on a terminal that outlives the connections to it. */
export class Shell {
  /** When its last viewer went, by `performance.now()`; undefined while somebody looks. */
  leftAt: number | undefined;
  readonly exited: Promise<void>;
  private readonly terminal: Terminal;
  private readonly screen: Screen;
  private readonly chunker = new Utf8Chunker();
  private readonly holds = new Set<Hold>();
  private viewer: Viewer | undefined;
  /** Output that a new viewer gets after the picture of what was before. */
  private waiting: Buffer[] | undefined;
  /** The viewer has seen what was before it came. */
  private attached = Promise.resolve();
  private aheadBytes = 0;

  /** Throws if it cannot be started. */
  constructor(argv: readonly [string, ...string[]], env: Environment, size: TerminalSize) {
    this.terminal = new Terminal(argv, env, HOME, size);
    this.screen = new Screen(size, (answer) => {
      // A viewer's terminal answers the program's questions itself.
      if (!this.viewer) this.terminal.stream.write(answer);
    });
    try {
      writeFileSync(`/proc/${this.terminal.pid}/oom_score_adj`, OOM_SCORE);
    } catch {
      // Gone already.
    }
    this.terminal.stream.on('data', (data: Buffer) => this.spread(this.chunker.push(data)));
    this.exited = this.terminal.exited.then(() => this.end());
  }

  /** Shows the shell as it is now to `viewer`, and to nobody else from then on. */
  attach(viewer: Viewer, size: TerminalSize): void {
    this.viewer?.takenOver();
    this.release('client');
    this.release('viewer');
    this.viewer = viewer;
    this.leftAt = undefined;
    this.waiting = [];
    this.resize(viewer, size);
    this.attached = this.screen.picture().then((picture) => {
      if (this.viewer !== viewer) return;
      if (this.screen.title !== '') viewer.title(this.screen.title);
      const waiting = this.waiting ?? [];
      this.waiting = undefined;
      if (picture !== '') this.show(Buffer.from(picture));
      for (const data of waiting) this.show(data);
    });
  }

  detach(viewer: Viewer): void {
    if (this.viewer !== viewer) return;
    this.viewer = undefined;
    this.waiting = undefined;
    this.leftAt = performance.now();
    this.release('client');
    this.release('viewer');
  }

  /** False: `drained` resolves when there is room for more. */
  type(viewer: Viewer, data: Buffer): boolean {
    return this.viewer !== viewer || this.terminal.stream.write(data);
  }

  onceDrained(action: () => void): void {
    this.terminal.stream.once('drain', action);
  }

  resize(viewer: Viewer, size: TerminalSize): void {
    if (this.viewer !== viewer) return;
    this.screen.resize(size);
    this.terminal.resize(size);
  }

  hold(reason: Hold): void {
    this.holds.add(reason);
    this.terminal.stream.pause();
  }

  release(reason: Hold): void {
    if (this.holds.delete(reason) && this.holds.size === 0) this.terminal.stream.resume();
  }

  /** False if the shell has started nothing that still runs. */
  get isBusy(): boolean {
    const { pid } = this.terminal;
    try {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() !== '';
    } catch {
      // It cannot be told.
      return true;
    }
  }

  /** Takes the terminal away from the shell and what runs in it, and ends what does not mind. */
  async hangUp(): Promise<void> {
    this.terminal.hangUp();
    signalQuietly(-this.terminal.pid, 'SIGCONT');
    const timer = setTimeout(() => signalQuietly(-this.terminal.pid, 'SIGKILL'), KILL_MS);
    await this.exited;
    clearTimeout(timer);
  }

  private spread(data: Buffer): void {
    if (data.length === 0) return;
    this.aheadBytes += data.length;
    if (this.aheadBytes > SCREEN_AHEAD_BYTES) this.hold('screen');
    this.screen.write(data, () => {
      this.aheadBytes -= data.length;
      if (this.aheadBytes < SCREEN_AHEAD_BYTES / 4) this.release('screen');
    });
    if (this.waiting) this.waiting.push(data);
    else this.show(data);
  }

  private show(data: Buffer): void {
    if (this.viewer && !this.viewer.output(data)) this.hold('viewer');
  }

  private async end(): Promise<void> {
    this.spread(this.chunker.end());
    await this.attached;
    this.viewer?.ended();
    this.viewer = undefined;
    this.screen.dispose();
  }
}
