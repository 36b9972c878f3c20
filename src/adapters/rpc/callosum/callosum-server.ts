import { setImmediate as nextTurn } from 'node:timers/promises';
import { Context, Router } from 'zeromq';
import type { Clock } from '../../../application/ports/clock.port.js';
import type { Logger } from '../../../application/ports/logger.port.js';
import { isAgentError, messageOf } from '../../../domain/error/agent-error.js';
import { configurationInvalid } from '../../../domain/error/errors.js';
import { failureOf } from '../failure.js';
import { malformed, shuttingDown } from '../wire-errors.js';
import { bindError, resolveBindAddress, type BindAddress } from './bind-address.js';
import { failureFrames, parseMessage, requestKey, resultFrames } from './frames.js';
import type { FailureDetail, Frames, Incoming, RequestId } from './frames.js';
import { InFlightCalls, type Call } from './in-flight-calls.js';
import { SendQueue } from './send-queue.js';
import { ZAP_DOMAIN, ZapHandler } from './zap.js';
import { decodeZ85 } from './z85.js';

/** CURVE keys as Z85 text; the agent is the CURVE server and admits only the Manager (rpc.md §2.1). */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
  readonly managerPublicKey: string;
}

export interface CallosumOptions {
  /** `tcp://host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly curve?: CurveKeys | undefined;
  readonly limits?: Partial<CallosumLimits> | undefined;
}

export interface CallosumLimits {
  /** Calls served at once; more are answered with a FAILURE. */
  readonly maxCalls: number;
  /** Bytes of request bodies held at once. */
  readonly maxHeldBytes: number;
  /** Of one body frame. Twice as much is answered with a FAILURE, beyond that libzmq drops the connection. */
  readonly maxBodyBytes: number;
}

const DEFAULT_LIMITS: CallosumLimits = {
  maxCalls: 1_024,
  maxHeldBytes: 256 * 1024 * 1024,
  maxBodyBytes: 64 * 1024 * 1024,
};

export interface IncomingCall {
  /** The connection, as hex: a reconnected client is another peer. */
  readonly peer: string;
  readonly method: string;
  /** The encoded envelope. */
  readonly body: Uint8Array | null;
}

/** The encoded result, or what went wrong, or nothing because the caller has left. */
export type Answer = { readonly result: Uint8Array } | { readonly failure: FailureDetail } | undefined;

/** What is done with calls. `answer` never rejects. */
export interface CallHandler {
  answer(call: IncomingCall, signal: AbortSignal): Promise<Answer>;
  /** True for what must be answered however busy we are, and at once. */
  isVital(method: string): boolean;
}

export interface CallosumCounters {
  readonly received: number;
  readonly answered: number;
  /** Messages that were no call at all. */
  readonly ignored: number;
  /** Calls answered with a FAILURE before they reached a method. */
  readonly rejected: number;
  readonly cancelled: number;
  readonly inFlight: number;
  /** Connections refused by CURVE authentication. */
  readonly refusedPeers: number;
}

/** In-flight calls may end by themselves for this long, then with their signals fired for that long. */
const DRAIN_MS = 400;
const ABORT_MS = 200;
const FLUSH_MS = 100;
const LINGER_MS = 100;

/**
 * A Callosum RPC server on a ZeroMQ ROUTER (rpc.md §1): every call is a task of its own, replies leave as they are
 * ready. Nothing that a peer sends ends the receive loop.
 */
export class CallosumServer implements AsyncDisposable {
  private readonly limits: CallosumLimits;
  private readonly calls: InFlightCalls;
  private readonly counts = { received: 0, answered: 0, ignored: 0, rejected: 0, cancelled: 0 };
  private router: Router | undefined;
  private zap: ZapHandler | undefined;
  private queue: SendQueue | undefined;
  private loop: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly options: CallosumOptions,
    private readonly handler: CallHandler,
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.calls = new InFlightCalls({ maxCalls: this.limits.maxCalls, maxBytes: this.limits.maxHeldBytes });
  }

  get counters(): CallosumCounters {
    return { ...this.counts, inFlight: this.calls.size, refusedPeers: this.zap?.refusals ?? 0 };
  }

  /** Where it listens, with the port that was taken; empty before `start`. */
  get endpoint(): string {
    return this.router?.lastEndpoint ?? '';
  }

  /**
   * Binds and serves. Once only.
   *
   * @throws AddressInUseError, ConfigurationError.
   */
  async start(): Promise<void> {
    const address = await resolveBindAddress(this.options.address);
    // A context of its own: the authentication endpoint is one per context.
    const context = new Context();
    const router = new Router({
      context,
      linger: LINGER_MS,
      ipv6: address.ipv6,
      maxMessageSize: this.limits.maxBodyBytes * 2,
      // More replies may wait for one peer than calls may be in flight, or a slow reader would lose some.
      sendHighWaterMark: this.limits.maxCalls * 4,
      heartbeatInterval: 20_000,
      heartbeatTimeout: 60_000,
    });
    try {
      await this.secure(router, context, address);
      await router.bind(address.endpoint);
    } catch (error) {
      router.close();
      await this.zap?.[Symbol.asyncDispose]();
      throw isAgentError(error) ? error : bindError(this.options.address, error);
    }
    this.router = router;
    this.queue = new SendQueue(router, (error) => {
      this.logger.warn('a reply could not be sent', { error: messageOf(error) });
    });
    this.loop = this.receive(router, this.queue);
  }

  private async secure(router: Router, context: Context, address: BindAddress): Promise<void> {
    const { curve } = this.options;
    if (curve === undefined) {
      if (!address.loopback) {
        this.logger.warn('RPC listens beyond this machine without authentication: anyone who reaches it can run code', {
          address: this.options.address,
          hint: 'set agent.rpc-auth-agent-keypair and agent.rpc-auth-manager-public-key',
        });
      }
      return;
    }
    const managerKey = decodeZ85(curve.managerPublicKey);
    if (managerKey?.length !== 32 || decodeZ85(curve.secretKey)?.length !== 32) {
      throw configurationInvalid('the RPC keys must be Z85 texts of 40 characters', {
        field: managerKey?.length === 32 ? 'agent.rpc-auth-agent-keypair' : 'agent.rpc-auth-manager-public-key',
      });
    }
    this.zap = new ZapHandler(context, managerKey, ({ reason, address: peer }) => {
      this.logger.warn('refused an RPC connection', { reason, peer });
    });
    await this.zap.start();
    router.zapDomain = ZAP_DOMAIN;
    router.curveServer = true;
    router.curveSecretKey = curve.secretKey;
  }

  /** Lets calls end, answers the rest with FAILUREs, and closes; takes less than a second. Later calls do nothing. */
  [Symbol.asyncDispose](): Promise<void> {
    this.closing ??= this.close();
    return this.closing;
  }

  private async close(): Promise<void> {
    await this.within(DRAIN_MS, this.calls.idle());
    this.calls.abortAll();
    await this.within(ABORT_MS, this.calls.idle());
    this.calls.abandonAll();
    if (this.queue !== undefined) await this.within(FLUSH_MS, this.queue.flush());
    this.router?.close();
    await this.zap?.[Symbol.asyncDispose]();
    await this.loop;
  }

  private async within(ms: number, done: Promise<void>): Promise<void> {
    using deadline = this.clock.deadline(ms);
    const { signal } = deadline;
    await Promise.race([
      done,
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    ]);
  }

  private async receive(router: Router, queue: SendQueue): Promise<void> {
    const closed = (): boolean => router.closed;
    while (!closed()) {
      let frames: Frames;
      try {
        frames = await router.receive();
      } catch (error) {
        if (closed()) return;
        this.logger.warn('receiving an RPC message failed', { error: messageOf(error) });
        // Never spins on an error that stays.
        await this.clock.sleep(100);
        continue;
      }
      this.counts.received += 1;
      try {
        this.take(parseMessage(frames, this.limits.maxBodyBytes), queue);
      } catch (error) {
        this.counts.ignored += 1;
        this.logger.error('an RPC message could not be handled', { error: messageOf(error) });
      }
    }
  }

  private take(message: Incoming, queue: SendQueue): void {
    switch (message.kind) {
      case 'ping':
        queue.push(message.reply);
        return;
      case 'ignored':
        this.counts.ignored += 1;
        this.logger.debug('ignored an RPC message', { reason: message.reason });
        return;
      case 'cancel':
        this.counts.cancelled += this.calls.cancel(requestKey(message.peer, message.id));
        return;
      case 'rejected':
        this.reject(queue, message.peer, message.id, malformed(message.reason));
        return;
      case 'function':
        this.accept(queue, message.peer, message.id, message.body);
    }
  }

  private reject(queue: SendQueue, peer: Uint8Array, id: RequestId, error: unknown): void {
    this.counts.rejected += 1;
    this.logger.debug('rejected an RPC call', { reason: messageOf(error) });
    queue.push(failureFrames(peer, id, failureOf(error)));
  }

  private accept(queue: SendQueue, peer: Uint8Array, id: RequestId, body: Uint8Array | null): void {
    const vital = this.handler.isVital(id.method);
    if (this.closing !== undefined && !vital) {
      this.reject(queue, peer, id, shuttingDown());
      return;
    }
    let call: Call;
    try {
      call = this.calls.accept(requestKey(peer, id), body?.length ?? 0, vital, () => {
        queue.push(failureFrames(peer, id, failureOf(shuttingDown())));
      });
    } catch (error) {
      this.reject(queue, peer, id, error);
      return;
    }
    void this.serve(queue, peer, id, body, call, vital);
  }

  private async serve(
    queue: SendQueue,
    peer: Uint8Array,
    id: RequestId,
    body: Uint8Array | null,
    call: Call,
    vital: boolean,
  ): Promise<void> {
    // Messages queued while the agent was away arrive in one burst: a CANCEL that is already here saves the work
    // (rpc.md §7.1.8).
    if (!vital) await nextTurn();
    const incoming = { peer: Buffer.from(peer).toString('hex'), method: id.method, body };
    const answer = await this.handler.answer(incoming, call.signal);
    if (!call.finish() || answer === undefined) return;
    this.counts.answered += 1;
    queue.push('result' in answer ? resultFrames(peer, id, answer.result) : failureFrames(peer, id, answer.failure));
  }
}
