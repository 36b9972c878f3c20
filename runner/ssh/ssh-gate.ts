import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import type { Environment } from '../boot/child-environment.js';
import type { Console } from '../console.js';

/** First message to the SSH process. */
export interface SshOrder {
  /** Hex. */
  readonly hostKeySeed: string;
  /** Of the programs that users start. */
  readonly env: Environment;
}

const PROGRAM = 'ssh.cjs';

/**
 * The door of the kernel's SSH service: the port is open as soon as the runner serves, the process behind it is started
 * by the first connection, which is handed over to it, and ends when it has been idle for a while. So SSH costs nothing
 * until it is used, and neither its work nor its faults are the runner's.
 */
export class SshGate {
  private readonly server: Server;
  private child: ChildProcess | undefined;
  private stopping = false;

  constructor(
    private readonly order: SshOrder,
    private readonly console: Console,
  ) {
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.handOver(socket));
  }

  /** Resolves when the port is open; never rejects: a kernel without SSH is still a kernel. */
  open(port: number): Promise<void> {
    return new Promise((resolve) => {
      this.server.once('error', (error) => {
        this.console.log('WARNING', `sshd cannot listen on port ${port}: ${error.message}`);
        resolve();
      });
      this.server.listen(port, () => resolve());
    });
  }

  get isOpen(): boolean {
    return this.server.listening;
  }

  close(): void {
    this.stopping = true;
    this.server.close();
    this.child?.kill('SIGTERM');
  }

  private handOver(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.stopping) {
      socket.destroy();
      return;
    }
    const child = this.child ?? this.start();
    child.send('connection', socket, (error) => {
      if (error) socket.destroy();
    });
  }

  private start(): ChildProcess {
    const [program = '', ...args] = selfCommand(join(__dirname, PROGRAM), 'bai-sshd');
    const child = spawn(program, [...args, 'serve'], {
      env: { PATH: this.order.env['PATH'] ?? '' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    });
    this.child = child;
    const leave = (): void => {
      if (this.child === child) this.child = undefined;
    };
    child.on('error', (error) => {
      this.console.log('WARNING', `sshd cannot be started: ${error.message}`);
      leave();
    });
    child.on('exit', leave);
    // It asks to go: from now on connections get a process of their own, so that none is handed to one that leaves.
    child.on('message', () => {
      leave();
      if (child.connected) child.disconnect();
    });
    child.send(this.order, () => undefined);
    return child;
  }
}

/** The command that runs a script of the bundle the way this process was started: through the loader that it brings along. */
function selfCommand(script: string, title: string): string[] {
  const { execPath } = process;
  if (!basename(execPath).startsWith('ld-linux')) return [execPath, script];
  const root = join(__dirname, '..');
  const loader = [execPath, '--argv0', title, '--inhibit-cache', '--library-path', join(root, 'lib')];
  return [...loader, join(root, 'bin/bai-krunner'), '--v8-pool-size=1', script];
}
