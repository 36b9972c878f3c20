import { decode, encode } from '@msgpack/msgpack';
import { Dealer } from 'zeromq';
import type { WorkplaceKeys } from './workplace.js';

const FUNCTION = 1;
const RESULT = 2;
const EMPTY = new Uint8Array();
const META = encode({});

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A Manager's end of the Callosum wire (rpc.md §1): any number of calls at once over one connection. */
export class RpcClient implements AsyncDisposable {
  readonly #socket: Dealer;
  readonly #waiting = new Map<number, Waiter>();
  readonly #loop: Promise<void>;
  #sending: Promise<void> = Promise.resolve();
  #sequence = 0;

  constructor(endpoint: string, keys?: WorkplaceKeys) {
    this.#socket = new Dealer({
      linger: 0,
      reconnectInterval: 20,
      ...(keys && {
        curveServerKey: keys.agentPublic,
        curvePublicKey: keys.managerPublic,
        curveSecretKey: keys.managerSecret,
      }),
    });
    this.#socket.connect(endpoint);
    this.#loop = this.#receive();
  }

  call(method: string, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const seq = this.#sequence++;
    const header = encode({ type: FUNCTION, meth: method, okey: EMPTY, seq, zip: false });
    const body = encode({ meta: EMPTY, body: encode({ args, kwargs, metadata: {} }) });
    return new Promise((resolve, reject) => {
      this.#waiting.set(seq, { resolve, reject });
      // One send at a time.
      this.#sending = this.#sending.then(() => this.#socket.send(['UPPER', header, body])).catch(reject);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#loop;
    for (const { reject } of this.#waiting.values()) reject(new Error('the connection was closed'));
  }

  async #receive(): Promise<void> {
    try {
      for await (const frames of this.#socket) this.#take(frames);
    } catch {
      // Closed.
    }
  }

  #take(frames: readonly Buffer[]): void {
    const [, header = META, body = META] = frames;
    const { seq, type } = decode(header) as { readonly seq: number; readonly type: number };
    const waiter = this.#waiting.get(seq);
    if (!waiter) return;
    this.#waiting.delete(seq);
    const inner = decode(body) as { readonly meta: Uint8Array; readonly body: Uint8Array | null };
    if (type === RESULT) waiter.resolve(inner.body === null ? undefined : decode(inner.body));
    else waiter.reject(new Error(`RPC failed: ${JSON.stringify(decode(inner.meta))}`));
  }
}
