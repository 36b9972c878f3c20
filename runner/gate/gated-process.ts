import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** From the process: it has that connection, or it has nothing to do and asks to go. */
export type GatedMessage = { readonly taken: number } | 'idle';

/** To the process, with the socket; its first message is the order. */
export interface Handover {
  readonly connection: number;
}

/**
 * The process behind a gate. A connection stays open here until the process says that it has it: what is on its way to a
 * process that dies would be lost without anybody noticing, its client would wait for ever.
 */
export class GatedProcess {
  /** Resolves when it shall get no more connections: it has asked to go, or is gone. */
  readonly leaving: Promise<void>;
  /** Resolves when it is gone, with the connections that it never took. */
  readonly ended: Promise<readonly Socket[]>;
  private readonly child: ChildProcess;
  private readonly untaken = new Map<number, Socket>();
  private isLeaving = false;
  private count = 0;

  constructor(command: readonly string[], path: string, order: object, onError: (error: Error) => void) {
    const [program = '', ...args] = command;
    this.child = spawn(program, args, {
      env: { PATH: path },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      detached: true,
    });
    let leave: () => void = () => undefined;
    this.leaving = new Promise((resolve) => (leave = resolve));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        leave();
        resolve([...this.untaken.values()]);
      };
      this.child.once('exit', end);
      this.child.on('error', (error) => {
        onError(error);
        if (this.child.pid === undefined) end();
      });
    });
    this.child.on('message', (message: GatedMessage) => {
      if (message === 'idle') {
        this.isLeaving = true;
        leave();
      } else {
        this.untaken.get(message.taken)?.destroy();
        this.untaken.delete(message.taken);
      }
      if (this.isLeaving && this.untaken.size === 0 && this.child.connected) this.child.disconnect();
    });
    this.child.send(order, () => undefined);
  }

  give(socket: Socket): void {
    const connection = this.count++;
    this.untaken.set(connection, socket);
    const message: Handover = { connection };
    // If it cannot be sent the process is about to end.
    this.child.send(message, socket, { keepOpen: true }, () => undefined);
  }

  async terminate(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(timer);
  }
}
