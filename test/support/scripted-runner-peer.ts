import { Pull, Push } from 'zeromq';
import type { KernelRunnerAddress } from '../../src/application/ports/kernel-runner.port.js';

type Frame = string | Uint8Array;
type OnOp = (op: string, payload: string, peer: ScriptedRunnerPeer) => void;

/** The runner's end of the wire in a test's hands: it binds both sockets, notes operations and says anything. */
export class ScriptedRunnerPeer implements AsyncDisposable {
  readonly received: (readonly string[])[] = [];
  /** Called for every well-formed operation. */
  onOp: OnOp = () => undefined;
  #pull = new Pull({ linger: 0 });
  #push = new Push({ linger: 0 });
  #sending: Promise<unknown> = Promise.resolve();
  #address: KernelRunnerAddress = { host: '127.0.0.1', replInPort: 0, replOutPort: 0 };

  static async listen(): Promise<ScriptedRunnerPeer> {
    const peer = new ScriptedRunnerPeer();
    await peer.#bind();
    return peer;
  }

  get address(): KernelRunnerAddress {
    return this.#address;
  }

  /** Says one message after those said before; resolves when ZeroMQ has it. */
  say(...frames: readonly Frame[]): Promise<void> {
    const push = this.#push;
    const sent = this.#sending.then(() => push.send([...frames] as string[]));
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  /** Breaks both connections and listens again on the same ports, as a runner does whose container restarts. */
  async restart(): Promise<void> {
    await this[Symbol.asyncDispose]();
    this.#pull = new Pull({ linger: 0 });
    this.#push = new Push({ linger: 0 });
    await this.#bind();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#pull.close();
    this.#push.close();
    return Promise.resolve();
  }

  async #bind(): Promise<void> {
    await bindRetrying(this.#pull, this.#address.replInPort);
    await bindRetrying(this.#push, this.#address.replOutPort);
    this.#address = { host: '127.0.0.1', replInPort: portOf(this.#pull), replOutPort: portOf(this.#push) };
    void this.#read(this.#pull);
  }

  async #read(pull: Pull): Promise<void> {
    for await (const frames of pull) {
      const texts = frames.map((frame) => frame.toString());
      this.received.push(texts);
      const [op, payload] = texts;
      if (op !== undefined && payload !== undefined && texts.length === 2) this.onOp(op, payload, this);
    }
  }
}

/** Port 0 is one of the system's choice. A port just let go may need a moment. */
async function bindRetrying(socket: Pull | Push, port: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await socket.bind(`tcp://127.0.0.1:${port === 0 ? '*' : port}`);
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function portOf(socket: Pull | Push): number {
  return Number(socket.lastEndpoint?.split(':').at(-1));
}
