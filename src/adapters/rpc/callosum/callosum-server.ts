import type { Router } from 'zeromq';
import type { Clock } from '../../../application/ports/clock.port.js';
import type { Logger } from '../../../application/ports/logger.port.js';
import { messageOf } from '../../../domain/error/agent-error.js';
import { failureOf } from '../failure.js';
import { malformed, repliesUnread, shuttingDown } from '../wire-errors.js';
import { failureFrames, parseMessage, peerKey, requestKey, resultFrames } from './frames.js';
import type { FailureDetail, Frames, Incoming, RequestId } from './frames.js';
import { type Call, CallCancelled, type CallLife, InFlightCalls } from './in-flight-calls.js';
import { type FrameSink, Outbox } from './outbox.js';
import { type CurveKeys, type OpenRouter, openRouter } from './router.js';
import { StartQueue } from './start-queue.js';

export interface CallosumOptions {
  /** `tcp://host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly curve?: CurveKeys | undefined;
  /** Called for each connection that authentication turns away. */
  readonly onRefused?: (() => void) | undefined;
  readonly limits?: Partial<CallosumLimits> | undefined;
}

export interface CallosumLimits {
  /** Calls served at once, in all and for one peer; more are answered with a FAILURE. */
  readonly maxCalls: number;
  readonly maxPeerCalls: number;
  /** Bytes of request bodies held at once. */
  readonly maxHeldBytes: number;
  readonly maxPeerHeldBytes: number;
  /** Of one body frame. Twice as much is answered with a FAILURE, beyond that libzmq drops the connection. */
  readonly maxBodyBytes: number;
  /** Bytes of replies that wait for peers which don't read; more are dropped. */
  readonly maxWaitingBytes: number;
  readonly maxPeerWaitingBytes: number;
}

const MIB = 1024 * 1024;

const DEFAULT_LIMITS: CallosumLimits = {
  maxCalls: 4_096,
  maxPeerCalls: 1_024,
  maxHeldBytes: 256 * MIB,
  maxPeerHeldBytes: 160 * MIB,
  maxBodyBytes: 64 * MIB,
  maxWaitingBytes: 256 * MIB,
  maxPeerWaitingBytes: 64 * MIB,
};
/** Replies that wait for one peer, however small. */
const MAX_PEER_WAITING = 4_096;

export interface IncomingCall {
  /** The connection, as hex: a reconnected client is another peer. */
  readonly peer: string;
  readonly method: string;
  /** The encoded envelope. */
  readonly body: Uint8Array | null;
}

/** The encoded result, or what went wrong, or nothing because the caller has left. */
export type Answer = { readonly result: Uint8Array } | { readonly failure: FailureDetail } | undefined;

/** What is done with calls. `answer` never throws nor rejects; what it can say at once it says without a promise. */
export interface CallHandler {
  answer(call: IncomingCall, life: CallLife): Answer | Promise<Answer>;
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
  /** Replies that nobody took. */
  readonly dropped: number;
  /** Connections refused by CURVE authentication. */
  readonly refusedPeers: number;
}

/** A result of this size is no larger than word of its loss would be. */
const SHORT_RESULT_BYTES = 1_024;

/** In-flight calls may end by themselves for this long, then with their signals fired for that long. */
const DRAIN_MS = 400;
const ABORT_MS = 200;
const FLUSH_MS = 100;

/** The life of a call that is over before anybody could end it. */
const NEVER = new AbortController().signal;
const UNENDING: CallLife = { signal: NEVER, closing: NEVER, ended: undefined };

/** What a server has while its socket is open. */
interface Open extends OpenRouter {
  readonly outbox: Outbox;
  readonly starts: StartQueue;
}

/**
 * A Callosum RPC server on a ZeroMQ ROUTER (rpc.md §1): every call is a task of its own, replies leave as they are
 * ready. Nothing that a peer sends ends the receive loop.
 */
export class CallosumServer implements AsyncDisposable {
  private readonly limits: CallosumLimits;
  private readonly calls: InFlightCalls;
  private readonly counts = { received: 0, answered: 0, ignored: 0, rejected: 0, cancelled: 0 };
  private open: Open | undefined;
  private loop: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly options: CallosumOptions,
    private readonly handler: CallHandler,
    private readonly logger: Logger,
    private readonly clock: Clock,
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    const { maxCalls, maxPeerCalls, maxHeldBytes, maxPeerHeldBytes } = this.limits;
    this.calls = new InFlightCalls({ maxCalls, maxPeerCalls, maxBytes: maxHeldBytes, maxPeerBytes: maxPeerHeldBytes });
  }

  get counters(): CallosumCounters {
    return {
      ...this.counts,
      inFlight: this.calls.size,
      dropped: this.open?.outbox.dropped ?? 0,
      refusedPeers: this.open?.zap?.refusals ?? 0,
    };
  }

  /** Where it listens, with the port that was taken; empty before `start`. */
  get endpoint(): string {
    return this.open?.router.lastEndpoint ?? '';
  }

  /**
   * Binds and serves. Once only.
   *
   * @throws AddressInUseError, ConfigurationError.
   */
  async start(): Promise<void> {
    const { maxBodyBytes, maxPeerWaitingBytes, maxWaitingBytes } = this.limits;
    const asked = { ...this.options, maxMessageBytes: maxBodyBytes * 2 };
    const opened = await openRouter(asked, this.logger, this.clock);
    const { router } = opened;
    const limits = { maxPeerMessages: MAX_PEER_WAITING, maxPeerBytes: maxPeerWaitingBytes, maxBytes: maxWaitingBytes };
    const sink: FrameSink = { send: (frames) => router.send([...frames]), notice: () => router.writable };
    const outbox = new Outbox(sink, limits, this.clock, {
      onSlowPeer: (peer) => this.logger.warn('an RPC peer does not read its replies: they are dropped', { peer }),
      onError: (error) => this.logger.warn('a reply could not be sent', { error: messageOf(error) }),
    });
    this.open = { ...opened, outbox, starts: new StartQueue(() => this.counts.received) };
    this.loop = this.receive(router, this.open);
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
    if (this.open === undefined) return;
    const { router, zap, outbox } = this.open;
    await this.within(FLUSH_MS, outbox.flush());
    outbox.close();
    router.close();
    await zap?.[Symbol.asyncDispose]();
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

  private async receive(router: Router, open: Open): Promise<void> {
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
        this.take(parseMessage(frames, this.limits.maxBodyBytes), open);
      } catch (error) {
        this.counts.ignored += 1;
        this.logger.error('an RPC message could not be handled', { error: messageOf(error) });
      }
    }
  }

  private take(message: Incoming, open: Open): void {
    switch (message.kind) {
      case 'ping':
        open.outbox.push(peerKey(message.peer), message.reply);
        return;
      case 'ignored':
        this.counts.ignored += 1;
        this.logger.debug('ignored an RPC message', { reason: message.reason });
        return;
      case 'cancel':
        this.counts.cancelled += this.calls.cancel(requestKey(peerKey(message.peer), message.id));
        return;
      case 'rejected':
        this.reject(open, message.peer, message.id, malformed(message.reason));
        return;
      case 'function':
        this.accept(open, message.peer, message.id, message.body);
    }
  }

  private reject({ outbox }: Open, peer: Uint8Array, id: RequestId, error: unknown): void {
    this.counts.rejected += 1;
    this.logger.debug('rejected an RPC call', { reason: messageOf(error) });
    outbox.push(peerKey(peer), failureFrames(peer, id, failureOf(error)));
  }

  private accept(open: Open, peer: Uint8Array, id: RequestId, body: Uint8Array | null): void {
    const incoming: IncomingCall = { peer: peerKey(peer), method: id.method, body };
    if (this.handler.isVital(id.method)) {
      this.serve(open, peer, id, incoming);
      return;
    }
    if (this.closing !== undefined) {
      this.reject(open, peer, id, shuttingDown());
      return;
    }
    let call: Call;
    try {
      call = this.calls.accept({
        peer: incoming.peer,
        key: requestKey(incoming.peer, id),
        bytes: body?.length ?? 0,
        abandon: () => open.outbox.push(incoming.peer, failureFrames(peer, id, failureOf(shuttingDown()))),
      });
    } catch (error) {
      this.reject(open, peer, id, error);
      return;
    }
    open.starts.add(incoming.peer, () => {
      if (call.ended instanceof CallCancelled) call.finish();
      else this.serve(open, peer, id, incoming, call);
    });
  }

  private serve(open: Open, peer: Uint8Array, id: RequestId, incoming: IncomingCall, call?: Call): void {
    const reply = (answer: Answer): void => {
      if (call?.finish() === false || answer === undefined) return;
      this.counts.answered += 1;
      if ('failure' in answer) {
        open.outbox.push(incoming.peer, failureFrames(peer, id, answer.failure));
        return;
      }
      const { result } = answer;
      const unread = (): Frames => failureFrames(peer, id, failureOf(repliesUnread()));
      open.outbox.push(
        incoming.peer,
        resultFrames(peer, id, result),
        result.length > SHORT_RESULT_BYTES ? unread : undefined,
      );
    };
    const answer = this.handler.answer(incoming, call ?? UNENDING);
    if (answer instanceof Promise) void answer.then(reply);
    else reply(answer);
  }
}
