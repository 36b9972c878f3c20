import type { Environment } from '../boot/child-environment.js';
import type { Keep } from '../gate/behind-gate.js';
import { findExecutable } from '../process/executable.js';
import type { TerminalSize } from '../process/terminal.js';
import { Shell } from './shell.js';

const MAX_SHELLS = 32;
/** A shell that nobody looks at and that runs nothing is given up after so long. */
const FORGOTTEN_MS = 3_600_000;
const SWEEP_MS = 60_000;
/** As the official runner chooses (krunner.md §5.7), and what else an image may have. */
const SHELLS = ['/bin/zsh', '/bin/bash', '/bin/ash', '/bin/sh', '/usr/bin/zsh', '/usr/bin/bash', '/usr/bin/sh', 'sh'];

/**
 * The shells of this kernel's terminals. A tab that comes back gets its own again; a new one gets the one that was left last,
 * with all that runs in it, and only if none is left a new one. So work goes on when a tab is closed and is there when the
 * terminal is opened again, on whatever machine.
 */
export class Shells {
  private readonly bySession = new Map<string, Shell>();
  private readonly sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();

  constructor(
    private readonly env: Environment,
    private readonly keep: Keep,
  ) {}

  /** Throws with a reason for the user. */
  for(session: string, size: TerminalSize): Shell {
    const own = this.bySession.get(session);
    if (own) return own;
    const left = this.lastLeft();
    if (!left) return this.start(session, size);
    const [previous, shell] = left;
    this.bySession.delete(previous);
    this.bySession.set(session, shell);
    return shell;
  }

  async hangUp(): Promise<void> {
    clearInterval(this.sweeper);
    await Promise.all([...this.bySession.values()].map((shell) => shell.hangUp()));
  }

  private lastLeft(): [string, Shell] | undefined {
    const left = [...this.bySession].filter(([, { leftAt }]) => leftAt !== undefined);
    return left.sort(([, one], [, other]) => (other.leftAt ?? 0) - (one.leftAt ?? 0))[0];
  }

  private start(session: string, size: TerminalSize): Shell {
    if (this.bySession.size >= MAX_SHELLS) throw new Error(`${MAX_SHELLS} terminals are open, which is the most.`);
    const path = findExecutable(SHELLS, this.env['PATH'] ?? '');
    if (path === undefined) throw new Error('This image has no shell.');
    const env = { ...this.env, TERM: 'xterm-256color', COLORTERM: 'truecolor', SHELL: path };
    const shell = new Shell([path, '-l'], env, size);
    this.bySession.set(session, shell);
    const giveUp = this.keep();
    void shell.exited.then(() => {
      for (const [id, each] of this.bySession) if (each === shell) this.bySession.delete(id);
      giveUp();
    });
    return shell;
  }

  private sweep(): void {
    const before = performance.now() - FORGOTTEN_MS;
    for (const shell of this.bySession.values()) {
      if (shell.leftAt !== undefined && shell.leftAt < before && !shell.isBusy) void shell.hangUp();
    }
  }
}
