import { randomUUID } from 'node:crypto';
import { Dealer, Subscriber } from 'zeromq';
import { decodeMessage, encodeMessage, type JupyterMessage } from './jupyter-message.js';

export type Channel = 'shell' | 'control' | 'stdin' | 'iopub';

/** Ports of ipc addresses are mere suffixes of the socket files. */
const SUFFIX: Record<Channel | 'hb', number> = { shell: 1, iopub: 2, stdin: 3, control: 4, hb: 5 };
const OPTIONS = { linger: 0, reconnectInterval: 5, reconnectMaxInterval: 50 };

export type ReceivedMessage = JupyterMessage & { readonly channel: Channel; readonly header: unknown };

/** The connection file's content: ipc sockets at `<base>-<n>`, which nobody outside this container can reach. */
export const connectionInfo = (base: string, key: string, kernelName: string): object => ({
  transport: 'ipc',
  ip: base,
  shell_port: SUFFIX.shell,
  iopub_port: SUFFIX.iopub,
  stdin_port: SUFFIX.stdin,
  control_port: SUFFIX.control,
  hb_port: SUFFIX.hb,
  key,
  signature_scheme: 'hmac-sha256',
  kernel_name: kernelName,
});

/** The client's end of a Jupyter kernel's channels. */
export class JupyterClient {
  private readonly session = randomUUID();
  /** stdin must have the identity of shell, so that the kernel's questions find their way. */
  private readonly shell = new Dealer({ ...OPTIONS, routingId: this.session });
  private readonly stdin = new Dealer({ ...OPTIONS, routingId: this.session });
  private readonly control = new Dealer({ ...OPTIONS, routingId: this.session });
  private readonly iopub = new Subscriber(OPTIONS);
  /** zeromq allows one send at a time on a socket. */
  private sends: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(
    base: string,
    private readonly key: string,
    private readonly onMessage: (message: ReceivedMessage) => void,
  ) {
    this.iopub.subscribe();
    for (const channel of ['shell', 'stdin', 'control', 'iopub'] as const) {
      const socket = this[channel];
      socket.connect(`ipc://${base}-${SUFFIX[channel]}`);
      void this.read(channel, socket);
    }
  }

  /** Sends a request and gives its id. */
  request(channel: 'shell' | 'control', type: string, content: unknown): string {
    const id = randomUUID();
    this.send(channel, encodeMessage(this.key, this.session, { id, type, content }));
    return id;
  }

  /** Answers a question of the kernel. */
  reply(question: ReceivedMessage, type: string, content: unknown): void {
    const message = { id: randomUUID(), type, content, parent: question.header };
    this.send('stdin', encodeMessage(this.key, this.session, message));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const socket of [this.shell, this.stdin, this.control, this.iopub]) socket.close();
  }

  private send(channel: 'shell' | 'control' | 'stdin', parts: string[]): void {
    this.sends = this.sends.then(() => (this.closed ? undefined : this[channel].send(parts))).catch(() => undefined);
  }

  private async read(channel: Channel, socket: AsyncIterable<Buffer[]>): Promise<void> {
    try {
      for await (const frames of socket) {
        const message = decodeMessage(this.key, frames);
        if (message) this.onMessage({ ...message, channel });
      }
    } catch {
      // Closed while receiving.
    }
  }
}
