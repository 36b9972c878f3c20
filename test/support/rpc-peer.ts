import { decode, encode } from '@msgpack/msgpack';
import { Dealer, type SocketOptions } from 'zeromq';
import { RpcServer, type RpcServerOptions } from '../../src/adapters/rpc/rpc-server.js';
import type { Labels, Telemetry } from '../../src/application/ports/telemetry.port.js';
import type { UseCases } from '../../src/application/use-cases.js';
import { MemoryLogger } from './memory-logger.js';
import { realClock } from './real-clock.js';
import { scriptedUseCases } from './scripted-use-cases.js';

/** Keeps what was counted. */
export class MemoryTelemetry implements Telemetry {
  readonly counted: { readonly name: string; readonly labels: Labels }[] = [];

  count(name: string, labels: Labels = {}): void {
    this.counted.push({ name, labels });
  }

  observe(name: string, _value: number, labels: Labels = {}): void {
    this.counted.push({ name, labels });
  }

  gauge(): void {
    throw new Error('no gauge is expected here');
  }

  remove(): void {
    throw new Error('nothing is expected to be removed');
  }
}

export interface ScriptedServer extends AsyncDisposable {
  readonly server: RpcServer;
  readonly endpoint: string;
  readonly logger: MemoryLogger;
  readonly telemetry: MemoryTelemetry;
}

/** A live server on a free port of the loopback device, its use cases scripted. */
export async function startScripted(
  script: Partial<UseCases>,
  options: Partial<RpcServerOptions> = {},
): Promise<ScriptedServer> {
  const logger = new MemoryLogger();
  const telemetry = new MemoryTelemetry();
  const server = new RpcServer(
    { address: 'tcp://127.0.0.1:0', agentId: 'i-test', ...options },
    scriptedUseCases(script),
    telemetry,
    logger,
    realClock,
  );
  await server.start();
  const endpoint = server.endpoint;
  return { server, endpoint, logger, telemetry, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export interface Reply {
  readonly type: number;
  readonly method: string;
  readonly okey: unknown;
  readonly seq: number;
  /** Of a RESULT. */
  readonly result: unknown;
  /** Of a FAILURE. */
  readonly failure: readonly string[];
}

export type CurveOptions = Pick<SocketOptions<Dealer>, 'curveServerKey' | 'curvePublicKey' | 'curveSecretKey'>;

/** A Manager's end of the wire, made of the codec library alone and nothing of ours. */
export class RawPeer implements Disposable {
  readonly socket: Dealer;
  private seq = 0;

  constructor(endpoint: string, keys: CurveOptions = {}) {
    this.socket = new Dealer({ linger: 0, receiveTimeout: 10_000, ...keys });
    this.socket.connect(endpoint);
  }

  async send(method: string, args: readonly unknown[], more: Readonly<Record<string, unknown>> = {}): Promise<number> {
    const body = { args, kwargs: {}, ...more };
    return this.sendBody(method, encode(body));
  }

  async sendBody(method: string, body: Uint8Array, seq = this.seq++): Promise<number> {
    await this.socket.send([
      'UPPER',
      encode({ type: 1, meth: method, okey: new Uint8Array(), seq, zip: false }),
      encode({ meta: new Uint8Array(), body }),
    ]);
    return seq;
  }

  async cancel(method: string, seq: number): Promise<void> {
    await this.socket.send([
      'UPPER',
      encode({ type: 5, meth: method, okey: new Uint8Array(), seq, zip: false }),
      encode({ meta: Uint8Array.of(0x90), body: null }),
    ]);
  }

  /** The next reply; rejects after ten seconds of silence. */
  async receive(): Promise<Reply> {
    const [, header, body] = (await this.socket.receive()) as [Buffer, Buffer, Buffer];
    const { type, meth, okey, seq } = decode(header) as Record<string, unknown>;
    const inner = decode(body) as { readonly meta: Uint8Array; readonly body: Uint8Array | null };
    return {
      type: type as number,
      method: meth as string,
      okey,
      seq: seq as number,
      result: inner.body === null ? undefined : decode(inner.body),
      failure: type === 3 ? (decode(inner.meta) as string[]) : [],
    };
  }

  async call(method: string, args: readonly unknown[], kwargs: Readonly<Record<string, unknown>> = {}): Promise<Reply> {
    await this.send(method, args, { kwargs });
    return this.receive();
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}
