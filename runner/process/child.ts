import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Environment } from '../boot/child-environment.js';
import type { ExitStatus } from './exit-status.js';
import type { PipePool } from './pipe-pool.js';
import { killTree, signalQuietly } from './process-tree.js';

/** Inherited by all that a program starts, so that its daemons are found when it dies. */
const MARK = 'BACKENDAI_KRUNNER_TREE';
/** The kernel's limits should kill the user's program before the runner. */
const OOM_SCORE = '300';

export interface ChildOptions {
  readonly cwd: string;
  readonly env: Environment;
  readonly pipes?: PipePool;
  /** Output goes to the container's console instead of being read. */
  readonly console?: boolean;
  /** Extra descriptors: 3 = requests to it, 4 = events from it. */
  readonly control?: boolean;
}

/** A program in a session of its own, so that it can be signalled and killed with all that it starts. */
export interface Child {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly requests?: Writable;
  readonly events?: Readable;
  /** Never rejects. */
  readonly exited: Promise<ExitStatus>;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL to the program and to all that it has started. */
  kill(): void;
  /** SIGTERM to the session, SIGKILL to all that is left after `graceMs`; resolves when the program itself is gone. */
  terminate(graceMs: number): Promise<void>;
}

/** Starts a program; rejects when it cannot be started (no such file, no memory, no process left). */
export async function startChild(argv: readonly string[], options: ChildOptions): Promise<Child> {
  const [program = '', ...args] = argv;
  const pipes = options.pipes?.take();
  const mark = randomUUID();
  let process_;
  try {
    process_ = spawn(program, args, {
      cwd: options.cwd,
      env: { ...options.env, [MARK]: mark },
      detached: true,
      stdio: [
        'ignore',
        options.console ? 'inherit' : (pipes?.stdout.writeFd ?? 'pipe'),
        options.console ? 'inherit' : (pipes?.stderr.writeFd ?? 'pipe'),
        ...(options.control ? (['pipe', 'pipe'] as const) : []),
      ],
    });
  } finally {
    pipes?.closeWriteEnds();
  }
  const child = process_;
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: -1, signal: null }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => {
      pipes?.stdout.readable.destroy();
      pipes?.stderr.readable.destroy();
      reject(error);
    });
  });
  const pid = child.pid ?? 0;
  writeFile(`/proc/${pid}/oom_score_adj`, OOM_SCORE).catch(() => undefined);
  const control = child.stdio.slice(3) as unknown as Duplex[];
  for (const stream of control) stream.on('error', () => undefined);
  return {
    pid,
    stdout: pipes?.stdout.readable ?? (child.stdout as Readable),
    stderr: pipes?.stderr.readable ?? (child.stderr as Readable),
    ...(control[0] && control[1] ? { requests: control[0], events: control[1] } : {}),
    exited,
    signal: (name) => signalQuietly(-pid, name),
    kill: () => killTree(pid, `${MARK}=${mark}`),
    terminate: async (graceMs) => {
      signalQuietly(-pid, 'SIGTERM');
      signalQuietly(-pid, 'SIGCONT');
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
      await Promise.race([exited, late]);
      clearTimeout(timer);
      killTree(pid, `${MARK}=${mark}`);
      await exited;
    },
  };
}
