import { Dealer } from 'zeromq';
import type { WorkplaceKeys } from './workplace.js';

/** One call, to be sent again and again. */
export interface LoadCall {
  readonly method: string;
  /** The third frame: metadata and the encoded document. */
  readonly body: Buffer;
  /** Message type of every answer: 2 for a RESULT, 3 for a FAILURE. */
  readonly answer: 2 | 3;
}

export interface LoadBlock {
  readonly perSecond: number;
  /** From sending to having read the answer, in milliseconds. */
  readonly times: Float64Array;
}

const UPPER = Buffer.from('UPPER');
const TYPE_AT = 6;
const WINDOW = 65_536;

/**
 * A load generator that costs little itself, since it runs on the cores of what it measures: the frames are made
 * beforehand but for the sequence number, and of an answer only its number and type are read.
 */
export class RpcLoad implements Disposable {
  readonly #socket: Dealer;
  readonly #sentAt = new Float64Array(WINDOW);
  #sequence = 0;

  constructor(endpoint: string, keys: WorkplaceKeys) {
    this.#socket = new Dealer({
      linger: 0,
      // Sends at once or not at all; there is always room.
      sendTimeout: 0,
      sendHighWaterMark: WINDOW,
      curveServerKey: keys.agentPublic,
      curvePublicKey: keys.managerPublic,
      curveSecretKey: keys.managerSecret,
    });
    this.#socket.connect(endpoint);
  }

  /** `total` calls, always `inFlight` of them at once. */
  async run(call: LoadCall, inFlight: number, total: number): Promise<LoadBlock> {
    const { header, sequenceAt } = headerOf(call.method);
    const send = (): void => {
      const sequence = this.#sequence++ % WINDOW;
      const own = Buffer.from(header);
      own.writeUInt32BE(sequence, sequenceAt + 1);
      this.#sentAt[sequence] = performance.now();
      void this.#socket.send([UPPER, own, call.body]);
    };
    const times = new Float64Array(total);
    const began = performance.now();
    let sent = 0;
    for (; sent < Math.min(inFlight, total); sent += 1) send();
    for (let got = 0; got < total; got += 1) {
      const [, answer] = await this.#socket.receive();
      if (answer?.[TYPE_AT] !== call.answer)
        throw new Error(`${call.method} was answered by type ${answer?.[TYPE_AT]}`);
      times[got] = performance.now() - (this.#sentAt[sequenceOf(answer, sequenceAt)] ?? 0);
      if (sent < total) {
        send();
        sent += 1;
      }
    }
    return { perSecond: (total * 1_000) / (performance.now() - began), times };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function headerOf(method: string): { readonly header: Buffer; readonly sequenceAt: number } {
  const before = Buffer.concat([
    Buffer.from('\x85\xa4type\x01\xa4meth', 'latin1'),
    Buffer.of(0xa0 | method.length),
    Buffer.from(`${method}\xa4okey\xc4\x00\xa3seq`, 'latin1'),
  ]);
  const header = Buffer.concat([before, Buffer.from('\xce\x00\x00\x00\x00\xa3zip\xc2', 'latin1')]);
  return { header, sequenceAt: before.length };
}

/** A server may write the number shorter than it was sent. */
function sequenceOf(header: Buffer, at: number): number {
  const lead = header[at] ?? 0;
  if (lead < 0x80) return lead;
  return header.readUIntBE(at + 1, lead === 0xcc ? 1 : lead === 0xcd ? 2 : 4);
}
