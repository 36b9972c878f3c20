import { Reply, type Context } from 'zeromq';

/** Where libzmq asks, in the same context, whether a peer may connect (ZeroMQ RFC 27; rpc.md §2.4). */
const ZAP_ENDPOINT = 'inproc://zeromq.zap.01';
export const ZAP_DOMAIN = 'local';
const VERSION = '1.0';
const USER_ID = 'manager';

export interface ZapVerdict {
  readonly allowed: boolean;
  /** In words, for the log. */
  readonly reason: string;
  readonly address: string;
  readonly reply: readonly (string | Uint8Array)[];
}

/** Decides one request: only CURVE in our domain with exactly `allowedKey` (32 raw bytes) may pass. Never throws. */
export function judge(frames: readonly Uint8Array[], allowedKey: Uint8Array): ZapVerdict {
  const [version, requestId, domain, address, , mechanism, ...credentials] = frames;
  const answer = (allowed: boolean, reason: string): ZapVerdict => ({
    allowed,
    reason,
    address: Buffer.from(address ?? [])
      .toString('latin1')
      .slice(0, 64),
    reply: allowed
      ? [VERSION, requestId ?? '', '200', 'OK', USER_ID, '']
      : [VERSION, requestId ?? '', '400', 'Access denied', '', ''],
  });
  const is = (frame: Uint8Array | undefined, text: string): boolean =>
    frame !== undefined && Buffer.from(text).equals(frame);
  if (frames.length < 6 || !is(version, VERSION)) return answer(false, 'malformed authentication request');
  if (!is(mechanism, 'CURVE') || !is(domain, ZAP_DOMAIN)) return answer(false, 'wrong mechanism or domain');
  const [key] = credentials;
  if (credentials.length !== 1 || key === undefined) return answer(false, 'malformed credentials');
  return Buffer.from(allowedKey).equals(key)
    ? answer(true, 'the Manager')
    : answer(false, 'not the key of the Manager');
}

/**
 * Answers libzmq's question for one context. Must be listening before a CURVE socket of that context binds: without a
 * handler libzmq lets anybody in who knows the server's public key. When this one fails, nobody gets in.
 */
export class ZapHandler implements AsyncDisposable {
  private readonly socket: Reply;
  private loop: Promise<void> | undefined;
  private refused = 0;

  constructor(
    context: Context,
    private readonly allowedKey: Uint8Array,
    private readonly onRefused: (verdict: ZapVerdict) => void,
  ) {
    this.socket = new Reply({ context, linger: 0 });
  }

  /** Peers that were turned away. */
  get refusals(): number {
    return this.refused;
  }

  async start(): Promise<void> {
    await this.socket.bind(ZAP_ENDPOINT);
    this.loop = this.serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.loop;
  }

  private async serve(): Promise<void> {
    while (!this.socket.closed) {
      try {
        const verdict = judge(await this.socket.receive(), this.allowedKey);
        if (!verdict.allowed) {
          this.refused += 1;
          this.onRefused(verdict);
        }
        await this.socket.send([...verdict.reply]);
      } catch {
        // Closed in the middle: the loop's condition ends it. Anything else leaves this one peer unanswered, so refused.
      }
    }
  }
}
