import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { WebSocket } from 'ws';
import { type ClientMessage, readClientMessage } from './client-message.js';
import type { Shell, Viewer } from './shell.js';
import type { Shells } from './shells.js';
import { CLOSED, FROM_SERVER } from './wire.js';

const HELLO_MS = 10_000;
/** Keeps the address translations on the way alive, and notices a client that is gone, as ttyd's do. */
const PING_MS = 20_000;
const CLOSE_MS = 5000;
/** Between the two the shell is not read: what a client does not take stays in the program that prints it. */
const HIGH_BYTES = 1 << 20;
const LOW_BYTES = 1 << 18;
/** Of one message: proxies take 4 MiB at most. */
const MAX_OUTPUT = 1 << 16;

/** One client, from its hello to its end (krunner.md §5.7). */
export class Connection implements Viewer {
  private shell: Shell | undefined;
  private answered = true;

  constructor(
    private readonly socket: WebSocket,
    private readonly shells: Shells,
  ) {
    const tooLate = setTimeout(() => this.close(CLOSED.ended), HELLO_MS);
    const pings = setInterval(() => this.ping(), PING_MS);
    socket.on('error', () => undefined);
    socket.on('pong', () => (this.answered = true));
    socket.on('message', (data: Buffer) => {
      const message = readClientMessage(data);
      if (!message) return;
      clearTimeout(tooLate);
      this.obey(message);
    });
    socket.on('close', () => {
      clearTimeout(tooLate);
      clearInterval(pings);
      this.shell?.detach(this);
    });
  }

  output(data: Buffer): boolean {
    for (let at = 0; at < data.length; at += MAX_OUTPUT) {
      this.send(FROM_SERVER.output, data.subarray(at, at + MAX_OUTPUT));
    }
    return this.socket.bufferedAmount < HIGH_BYTES;
  }

  title(text: string): void {
    this.send(FROM_SERVER.title, Buffer.from(text));
  }

  ended(): void {
    this.close(CLOSED.ended);
  }

  takenOver(): void {
    this.close(CLOSED.takenOver);
  }

  private obey(message: ClientMessage): void {
    const { shell } = this;
    if (message.type === 'hello') {
      if (!shell) this.begin(message);
      return;
    }
    if (!shell) return;
    switch (message.type) {
      case 'input':
        if (shell.type(this, message.data)) break;
        // The program does not read: neither is what else the client says.
        this.socket.pause();
        shell.onceDrained(() => this.socket.resume());
        break;
      case 'resize':
        shell.resize(this, message.size);
        break;
      case 'pause':
        shell.hold('client');
        break;
      case 'resume':
        shell.release('client');
    }
  }

  private begin({ session, size }: ClientMessage & { type: 'hello' }): void {
    this.title(`terminal (${hostname()})`);
    this.send(FROM_SERVER.preferences, Buffer.from('{}'));
    try {
      this.shell = this.shells.for(session ?? randomUUID(), size);
    } catch (error) {
      this.output(Buffer.from(`${error instanceof Error ? error.message : String(error)}\r\n`));
      this.close(CLOSED.ended);
      return;
    }
    this.shell.attach(this, size);
  }

  private send(type: string, data: Buffer): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    this.socket.send(Buffer.concat([Buffer.from(type), data]), { binary: true }, () => {
      if (this.socket.bufferedAmount < LOW_BYTES) this.shell?.release('viewer');
    });
  }

  private ping(): void {
    // What a client answers is not read while the program reads nothing.
    if (this.socket.isPaused) return;
    if (!this.answered) {
      this.socket.terminate();
      return;
    }
    this.answered = false;
    this.socket.ping();
  }

  private close(code: number): void {
    this.socket.close(code);
    // For one that does not answer; `terminate` of one that is gone does nothing.
    setTimeout(() => this.socket.terminate(), CLOSE_MS).unref();
  }
}
