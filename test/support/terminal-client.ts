import { WebSocket } from 'ws';

const SEE_MS = 30_000;

export interface TerminalClientOptions {
  readonly session?: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A client of ttyd's protocol, with nothing of ours in it but the session. */
export class TerminalClient {
  private readonly pieces: Buffer[] = [];
  readonly titles: string[] = [];
  /** Close code. */
  readonly closed: Promise<number>;
  private readonly socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const type = data.toString('latin1', 0, 1);
      if (type === '0') this.pieces.push(data.subarray(1));
      if (type === '1') this.titles.push(data.toString('utf8', 1));
    });
    this.closed = new Promise((resolve) => socket.on('close', resolve));
  }

  /** Rejects with the refusal. */
  static async open(port: number, options: TerminalClientOptions = {}): Promise<TerminalClient> {
    const { session, columns = 80, rows = 24, headers = {} } = options;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'tty', { headers });
    const client = new TerminalClient(socket);
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send(JSON.stringify({ AuthToken: '', columns, rows, ...(session === undefined ? {} : { session }) }));
    return client;
  }

  type(text: string | Buffer): void {
    this.socket.send(Buffer.concat([Buffer.from('0'), Buffer.from(text)]));
  }

  /** A message as it stands. */
  send(message: string): void {
    this.socket.send(message);
  }

  resize(columns: number, rows: number): void {
    this.socket.send(`1${JSON.stringify({ columns, rows })}`);
  }

  pause(): void {
    this.socket.send('2');
  }

  resume(): void {
    this.socket.send('3');
  }

  /** What the connection itself does not take any more, as from a browser that is stuck. */
  stall(isStalled: boolean): void {
    if (isStalled) this.socket.pause();
    else this.socket.resume();
  }

  /** All output since the last `forget`. */
  get output(): Buffer {
    const all = Buffer.concat(this.pieces);
    this.pieces.splice(0, Infinity, all);
    return all;
  }

  forget(): void {
    this.pieces.length = 0;
  }

  /** Waits until the output has it. */
  async see(what: string | RegExp, timeoutMs = SEE_MS): Promise<RegExpExecArray> {
    const pattern = typeof what === 'string' ? new RegExp(what.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')) : what;
    for (const until = Date.now() + timeoutMs; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const text = this.output.toString();
      const found = pattern.exec(text);
      if (found) return found;
      if (Date.now() > until) throw new Error(`not seen: ${pattern.source}; last: ${JSON.stringify(text.slice(-500))}`);
    }
  }

  /** The way a tab is closed, or a network is cut. */
  async leave(how: 'politely' | 'suddenly' = 'politely'): Promise<void> {
    if (how === 'politely') this.socket.close(1001);
    else this.socket.terminate();
    await this.closed;
  }
}
