import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import type { Console } from '../console.js';

export interface GateOptions {
  /** Of the service. */
  readonly name: string;
  readonly port: number;
  /** File of the bundle that is the process behind the gate. */
  readonly program: string;
  /** First message to that process. */
  readonly order: object;
  /** PATH of that process. */
  readonly path: string;
}

/**
 * The door of a service that every kernel has: the port is open as soon as the runner serves, the process behind it is
 * started by the first connection, which is handed over to it, and ends when it has been idle for a while. So the service
 * costs nothing until it is used, and neither its work nor its faults are the runner's.
 */
export class Gate {
  private server: Server | undefined;
  /** Who gets the next connection; others may still be busy with theirs. */
  private current: ChildProcess | undefined;
  private readonly children = new Set<ChildProcess>();

  constructor(
    private readonly options: GateOptions,
    private readonly console: Console,
  ) {}

  get isOpen(): boolean {
    return this.server?.listening ?? false;
  }

  /** Resolves when the port is open, or with why it is not. */
  open(): Promise<string | undefined> {
    const { name, port } = this.options;
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.handOver(socket));
    this.server = server;
    return new Promise((resolve) => {
      server.on('error', (error) => resolve(`${name} cannot listen on port ${port}: ${error.message}`));
      server.listen(port, () => resolve(undefined));
    });
  }

  /** Ends the service and all its connections, within `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.server?.close();
    this.server = undefined;
    this.current = undefined;
    await Promise.all([...this.children].map((child) => terminate(child, graceMs)));
  }

  private handOver(socket: Socket): void {
    socket.on('error', () => undefined);
    if (!this.isOpen) {
      socket.destroy();
      return;
    }
    const child = this.current ?? this.start();
    child.send('connection', socket, (error) => {
      if (error) socket.destroy();
    });
  }

  private start(): ChildProcess {
    const { name, path, order } = this.options;
    const [program = '', ...args] = selfCommand(join(__dirname, this.options.program), `bai-${name}`);
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const child = spawn(program, [...args, 'serve'], { env: { PATH: path }, stdio: [...stdio], detached: true });
    this.current = child;
    this.children.add(child);
    const leave = (): void => {
      if (this.current === child) this.current = undefined;
    };
    child.on('error', (error) => {
      this.console.log('WARNING', `${name} cannot be started: ${error.message}`);
      leave();
      this.children.delete(child);
    });
    child.on('exit', () => {
      leave();
      this.children.delete(child);
    });
    // It asks to go: from now on connections get a process of their own, so that none is handed to one that leaves.
    child.on('message', () => {
      leave();
      if (child.connected) child.disconnect();
    });
    child.send(order, () => undefined);
    return child;
  }
}

async function terminate(child: ChildProcess, graceMs: number): Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  if (child.kill('SIGTERM')) await exited;
  clearTimeout(timer);
}

/** The command that runs a script of the bundle the way this process was started: through the loader that it brings along. */
function selfCommand(script: string, title: string): string[] {
  const { execPath } = process;
  if (!basename(execPath).startsWith('ld-linux')) return [execPath, script];
  const root = join(__dirname, '..');
  const loader = [execPath, '--argv0', title, '--inhibit-cache', '--library-path', join(root, 'lib')];
  return [...loader, join(root, 'bin/bai-krunner'), '--v8-pool-size=1', script];
}
