import { CLOSED, FROM_CLIENT, FROM_SERVER, type Hello, SUBPROTOCOL } from '../wire.js';

export interface LinkEvents {
  /** A shell is there: what it has on its screen follows. */
  onOpen(): void;
  onOutput(data: Uint8Array): void;
  onTitle(title: string): void;
  /** There is no connection; `again` if there will be a new one by itself. */
  onClose(reason: 'ended' | 'taken over' | 'lost'): void;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;

/** The connection to the shell, made again when it is lost. */
export class Link {
  private socket: WebSocket | undefined;
  private retryMs = FIRST_RETRY_MS;

  constructor(
    private readonly hello: () => Hello,
    private readonly events: LinkEvents,
  ) {}

  get isOpen(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open(): void {
    const { protocol, host, pathname, search } = location;
    const scheme = protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${host}${pathname.replace(/\/+$/, '')}/ws${search}`, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.events.onOpen();
      socket.send(JSON.stringify(this.hello()));
    };
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.receive(new Uint8Array(data));
    socket.onclose = ({ code }) => this.closed(code);
  }

  type(data: Uint8Array): void {
    const message = new Uint8Array(data.length + 1);
    message[0] = FROM_CLIENT.input.charCodeAt(0);
    message.set(data, 1);
    this.send(message);
  }

  resize(columns: number, rows: number): void {
    this.send(FROM_CLIENT.resize + JSON.stringify({ columns, rows }));
  }

  pause(): void {
    this.send(FROM_CLIENT.pause);
  }

  resume(): void {
    this.send(FROM_CLIENT.resume);
  }

  private send(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.isOpen) this.socket?.send(message);
  }

  private receive(message: Uint8Array): void {
    const data = message.subarray(1);
    switch (String.fromCharCode(message[0] ?? 0)) {
      case FROM_SERVER.output:
        this.events.onOutput(data);
        break;
      case FROM_SERVER.title:
        this.events.onTitle(new TextDecoder().decode(data));
        break;
      default:
        break;
    }
  }

  private closed(code: number): void {
    if (code === CLOSED.ended || code === CLOSED.takenOver) {
      this.events.onClose(code === CLOSED.ended ? 'ended' : 'taken over');
      return;
    }
    this.events.onClose('lost');
    setTimeout(() => this.open(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
  }
}
