import type { Frame } from './frames.js';

/** The part of a PUSH socket that is needed: one send at a time, resolved when the socket has taken the message. */
export interface FrameSocket {
  send(parts: [string, Uint8Array | string]): Promise<void>;
}

const OVERHEAD_BYTES = 64;
/** What replies may take beyond the limit before they are dropped: nobody is reading them anyway. */
const REPLY_RESERVE_BYTES = 1 << 20;
const COMPACT_AFTER = 1024;
/** Pieces of output that follow each other this closely are put together, up to this size. */
const GATHER_MS = 3;
const GATHER_BYTES = 64 << 10;

interface Entry {
  readonly frame: Frame;
  /** Further pieces of the same stream. */
  more: Uint8Array[];
  bytes: number;
}

/**
 * The one queue to the agent, in order, one send at a time.
 *
 * While no agent is connected a PUSH socket takes nothing (krunner.md §2.1), so the queue is bounded by bytes: producers
 * of output wait for `room()` when it is `congested`, which stops the reading of pipes and so the program that writes.
 * Nothing that belongs to a run is ever dropped here.
 */
export class FrameSender {
  private queue: Entry[] = [];
  private head = 0;
  private queuedBytes = 0;
  private sending = false;
  private sentAt = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  private roomWaiters: (() => void)[] = [];
  private flushWaiters: (() => void)[] = [];

  constructor(
    private readonly socket: FrameSocket,
    private readonly limitBytes = 16 << 20,
  ) {}

  get congested(): boolean {
    return this.queuedBytes >= this.limitBytes;
  }

  /** Queues a frame of a run. The caller keeps to `congested` and `room()`. */
  push(frame: Frame): void {
    if (this.closed) return;
    const { kind, payload } = frame;
    const bytes = payload.length;
    this.queuedBytes += bytes + OVERHEAD_BYTES;
    const gathers = kind === 'stdout' || kind === 'stderr';
    const last = this.head < this.queue.length ? this.queue[this.queue.length - 1] : undefined;
    if (gathers && typeof payload !== 'string' && last?.frame.kind === kind && last.bytes + bytes <= GATHER_BYTES) {
      last.more.push(payload);
      last.bytes += bytes;
    } else {
      this.queue.push({ frame, more: [], bytes });
    }
    if (this.sending) return;
    const wait = gathers && bytes < GATHER_BYTES / 4 ? this.sentAt + GATHER_MS - performance.now() : 0;
    if (wait <= 0 || this.queue.length - this.head > 1) this.sendNow();
    else this.timer ??= setTimeout(() => this.sendNow(), wait);
  }

  /** Queues the answer to a request; dropped when answers pile up that nobody fetches. */
  reply(frame: Frame): void {
    if (this.queuedBytes < this.limitBytes + REPLY_RESERVE_BYTES) this.push(frame);
  }

  /** Resolves as soon as the queue is below half its limit; at once when it is not congested. */
  room(): Promise<void> {
    if (!this.congested || this.closed) return Promise.resolve();
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  /** Resolves when everything was handed to the socket. */
  flushed(): Promise<void> {
    this.sendNow();
    if (!this.sending) return Promise.resolve();
    return new Promise((resolve) => this.flushWaiters.push(resolve));
  }

  /** Drops what is queued and takes no more. */
  close(): void {
    this.closed = true;
    this.queue = [];
    this.head = 0;
    this.queuedBytes = 0;
    this.wakeProducers();
  }

  private sendNow(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.sending && this.head < this.queue.length) void this.drain();
  }

  private async drain(): Promise<void> {
    this.sending = true;
    for (let entry = this.shift(); entry !== undefined; entry = this.shift()) {
      const { frame, more, bytes } = entry;
      try {
        await this.socket.send([frame.kind, more.length === 0 ? frame.payload : joined(frame.payload, more)]);
      } catch {
        this.close();
        break;
      }
      this.queuedBytes = Math.max(0, this.queuedBytes - bytes - OVERHEAD_BYTES * (more.length + 1));
      if (this.queuedBytes < this.limitBytes / 2) this.wakeProducers();
    }
    this.sending = false;
    this.sentAt = performance.now();
    for (const resolve of this.flushWaiters.splice(0)) resolve();
  }

  /** `Array.shift` moves the whole array, which hurts with 100,000 small frames. */
  private shift(): Entry | undefined {
    const entry = this.queue[this.head];
    if (entry === undefined) return undefined;
    this.head += 1;
    if (this.head >= COMPACT_AFTER || this.head === this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return entry;
  }

  private wakeProducers(): void {
    for (const resolve of this.roomWaiters.splice(0)) resolve();
  }
}

const joined = (first: Uint8Array | string, more: readonly Uint8Array[]): Buffer =>
  Buffer.concat([typeof first === 'string' ? Buffer.from(first) : first, ...more]);
