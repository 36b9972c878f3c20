import { createServer, type Server, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import type { Console } from '../console.js';
import { GatedProcess } from './gated-process.js';

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
  private current: GatedProcess | undefined;
  private readonly processes = new Set<GatedProcess>();
  private readonly retried = new WeakSet<Socket>();

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
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.on('error', () => undefined);
      this.handOver(socket);
    });
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
    await Promise.all([...this.processes].map((gated) => gated.terminate(graceMs)));
  }

  private handOver(socket: Socket): void {
    if (!this.isOpen) {
      socket.destroy();
      return;
    }
    this.current ??= this.start();
    this.current.give(socket);
  }

  private start(): GatedProcess {
    const { name, path, order, program } = this.options;
    const command = [...selfCommand(join(__dirname, program), `bai-${name}`), 'serve'];
    const gated = new GatedProcess(command, path, order, (error) =>
      this.console.log('WARNING', `${name}: ${error.message}`),
    );
    this.processes.add(gated);
    void gated.leaving.then(() => {
      if (this.current === gated) this.current = undefined;
    });
    void gated.ended.then((untaken) => {
      this.processes.delete(gated);
      for (const socket of untaken) {
        // Another process may have more luck; a third would not.
        if (this.retried.has(socket)) socket.destroy();
        else this.handOver(socket);
        this.retried.add(socket);
      }
    });
    return gated;
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
