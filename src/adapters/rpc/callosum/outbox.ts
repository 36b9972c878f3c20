import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../../application/ports/clock.port.js';
import type { Frames } from './frames.js';

/** The part of a socket that sends: at once, or it rejects with `EAGAIN` (peer is full) or `EHOSTUNREACH` (peer left). */
export interface FrameSink {
  send(frames: Frames): Promise<void>;
  /**
   * Makes libzmq see what peers have taken meanwhile, which it does by itself once in a while only. A send must follow:
   * only that wakes a `receive` whose wake-up this may have swallowed.
   */
  notice(): unknown;
}

export interface OutboxLimits {
  /** Replies that wait for one peer beyond those that the socket has taken. */
  readonly maxPeerMessages: number;
  readonly maxPeerBytes: number;
  /** Of all peers together. */
  readonly maxBytes: number;
}

export interface OutboxEvents {
  /** A peer doesn't read and its replies begin to be dropped; told once until it reads again. */
  readonly onSlowPeer: (peer: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Replies that a peer has not taken yet. */
interface Box {
  readonly waiting: Frames[];
  bytes: number;
  dropping: boolean;
}

const FIRST_PAUSE_MS = 1;
const MAX_PAUSE_MS = 50;
/** Turns of the event loop before the first pause: most often the socket only had no time to breathe. */
const QUICK_TRIES = 8;

/**
 * The way out for replies. A reply goes straight to the socket; for a peer whose part of the socket is full it waits
 * here, and no other peer notices. A peer that doesn't read loses replies instead of taking our memory; in place of a
 * large one it gets word of that, since a Manager waits for an answer without limit (rpc.md §1.10). Never throws.
 */
export class Outbox {
  private readonly boxes = new Map<string, Box>();
  private bytes = 0;
  private lost = 0;
  private closed = false;
  private readonly emptyWaiters = new Set<() => void>();

  constructor(
    private readonly sink: FrameSink,
    private readonly limits: OutboxLimits,
    private readonly clock: Clock,
    private readonly events: OutboxEvents,
  ) {}

  /** Replies that were dropped since their peer did not read, or had left. */
  get dropped(): number {
    return this.lost;
  }

  get waitingBytes(): number {
    return this.bytes;
  }

  /** @param instead makes a short reply for when there is no room for this one; these are bounded by their number. */
  push(peer: string, frames: Frames, instead?: () => Frames): void {
    const box = this.boxes.get(peer);
    if (box !== undefined) {
      this.keep(peer, box, frames, instead);
      return;
    }
    this.attempt(frames).catch((error: unknown) => this.refused(peer, frames, error, instead));
  }

  /** Resolves when everything is with the socket. */
  async flush(): Promise<void> {
    // What was just pushed may still turn out to be refused.
    await nextTurn();
    if (this.boxes.size > 0) await new Promise<void>((resolve) => this.emptyWaiters.add(resolve));
  }

  /** Gives up what waits. */
  close(): void {
    this.closed = true;
  }

  /** A socket that throws rejects, too. */
  private async attempt(frames: Frames): Promise<void> {
    await this.sink.send(frames);
  }

  private refused(peer: string, frames: Frames, error: unknown, instead: (() => Frames) | undefined): void {
    if (codeOf(error) !== 'EAGAIN') {
      this.lose(error);
      return;
    }
    const known = this.boxes.get(peer);
    if (known !== undefined) {
      this.keep(peer, known, frames, instead);
      return;
    }
    const box: Box = { waiting: [], bytes: 0, dropping: false };
    this.boxes.set(peer, box);
    this.keep(peer, box, frames, instead);
    void this.drain(peer, box);
  }

  private keep(peer: string, box: Box, frames: Frames, instead: (() => Frames) | undefined): void {
    const size = sizeOf(frames);
    const { maxPeerMessages, maxPeerBytes, maxBytes } = this.limits;
    // One that is larger than all bounds still goes if nothing else waits.
    const fits = box.bytes + size <= maxPeerBytes && this.bytes + size <= maxBytes;
    const isFull = box.waiting.length >= maxPeerMessages;
    if (isFull || (!fits && box.waiting.length > 0)) {
      this.lost += 1;
      if (!box.dropping) this.events.onSlowPeer(peer);
      box.dropping = true;
      if (!isFull && instead !== undefined) this.add(box, instead());
      return;
    }
    this.add(box, frames);
  }

  private add(box: Box, frames: Frames): void {
    const size = sizeOf(frames);
    box.waiting.push(frames);
    box.bytes += size;
    this.bytes += size;
  }

  private async drain(peer: string, box: Box): Promise<void> {
    let tries = 0;
    for (let next = box.waiting[0]; next !== undefined && !this.closed; next = box.waiting[0]) {
      try {
        this.sink.notice();
        await this.attempt(next);
        tries = 0;
        this.taken(box);
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') {
          this.lose(error);
          this.taken(box);
          continue;
        }
        tries += 1;
        const pause = FIRST_PAUSE_MS * 2 ** Math.max(0, tries - QUICK_TRIES);
        await (tries <= QUICK_TRIES ? nextTurn() : this.clock.sleep(Math.min(pause, MAX_PAUSE_MS)));
      }
    }
    this.bytes -= box.bytes;
    this.boxes.delete(peer);
    if (this.boxes.size > 0) return;
    for (const resolve of this.emptyWaiters) resolve();
    this.emptyWaiters.clear();
  }

  private taken(box: Box): void {
    const frames = box.waiting.shift();
    const size = frames === undefined ? 0 : sizeOf(frames);
    box.bytes -= size;
    this.bytes -= size;
    box.dropping = false;
  }

  private lose(error: unknown): void {
    this.lost += 1;
    if (codeOf(error) !== 'EHOSTUNREACH' && !this.closed) this.events.onError(error);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function sizeOf(frames: Frames): number {
  return frames.reduce((sum, frame) => sum + frame.length, 0);
}
