import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ServerState } from './server-process.js';

const SERVER = fileURLToPath(new URL('server-process.js', import.meta.url));
const STATE_MS = 30_000;

/** The server's process; it ends with this object, and everything it says goes wrong is kept. */
export class FuzzedServer implements AsyncDisposable {
  fault: string | undefined;
  private readonly child: ChildProcess;

  constructor(...args: readonly string[]) {
    this.child = fork(SERVER, args, {
      execArgv: ['--expose-gc', '--enable-source-maps'],
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.child.on('message', (told: { readonly fault?: string }) => {
      this.fault ??= told.fault;
    });
    this.child.on('exit', (code, signal) => {
      this.fault ??= `the server ended: ${String(code ?? signal)}`;
    });
  }

  /** The next thing that the server says of itself. */
  async state(ask = true): Promise<ServerState> {
    const deadline = AbortSignal.timeout(STATE_MS);
    if (ask) this.child.send('state');
    for (;;) {
      const [told] = (await once(this.child, 'message', { signal: deadline })) as [ServerState | { fault: string }];
      if ('endpoint' in told) return told;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.send('end');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }
}
