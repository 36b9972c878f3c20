import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import type { Environment } from '../boot/child-environment.js';
import { signalQuietly } from './process-tree.js';

export interface TerminalSize {
  readonly rows: number;
  readonly cols: number;
}

/** The add-on of node-pty, of which we need no more than this. */
interface PtyAddon {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number };
  resize(fd: number, cols: number, rows: number): void;
}

export interface TerminalExit {
  readonly code: number;
  /** 0 = it ended by itself. */
  readonly signal: number;
}

/** After the program's end, what it has left running may still hold the terminal. */
const DRAIN_MS = 200;
const MAX_SIDE = 1000;

let addon: PtyAddon | undefined;

function loadAddon(): PtyAddon {
  if (addon) return addon;
  const module = { exports: {} };
  process.dlopen(module, join(__dirname, `pty-${process.arch}.node`));
  addon = module.exports as PtyAddon;
  return addon;
}

/** A program on a terminal of its own. */
export class Terminal {
  readonly stream: ReadStream;
  readonly pid: number;
  /** Resolves when the program has ended and its output was read. */
  readonly exited: Promise<TerminalExit>;
  private readonly fd: number;
  private gone = false;

  /** Throws if there is no terminal to be had. */
  constructor(argv: readonly [string, ...string[]], env: Environment, cwd: string, size: TerminalSize) {
    const [file, ...args] = argv;
    const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    let end: (exit: TerminalExit) => void = () => undefined;
    const ended = new Promise<TerminalExit>((resolve) => (end = resolve));
    const { cols, rows } = sane(size);
    const { fd, pid } = loadAddon().fork(file, args, pairs, cwd, cols, rows, -1, -1, true, '', (code, signal) =>
      end({ code, signal }),
    );
    this.fd = fd;
    this.pid = pid;
    this.stream = new ReadStream(fd);
    // EIO is how a terminal says that nobody is at its other end any more.
    this.stream.on('error', () => this.stream.destroy());
    const closed = new Promise<void>((resolve) => this.stream.once('close', resolve));
    this.exited = ended.then(async (exit) => {
      const timer = setTimeout(() => this.stream.destroy(), DRAIN_MS);
      await closed;
      clearTimeout(timer);
      this.gone = true;
      return exit;
    });
    void closed.then(() => (this.gone = true));
  }

  resize(size: TerminalSize): void {
    if (this.gone) return;
    const { cols, rows } = sane(size);
    loadAddon().resize(this.fd, cols, rows);
  }

  /** The terminal is taken away: its programs get SIGHUP. */
  hangUp(): void {
    if (!this.gone) signalQuietly(-this.pid, 'SIGHUP');
    this.stream.destroy();
  }
}

const side = (value: number, fallback: number): number =>
  Number.isInteger(value) && value > 0 ? Math.min(value, MAX_SIDE) : fallback;

const sane = ({ rows, cols }: TerminalSize): TerminalSize => ({ rows: side(rows, 24), cols: side(cols, 80) });
