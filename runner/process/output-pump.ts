import type { Readable } from 'node:stream';
import type { FrameSender } from '../wire/frame-sender.js';
import { Utf8Chunker } from './utf8-chunker.js';

/** Somewhere else that output goes to, in step with the frames. */
export interface Echo {
  write(data: Buffer): Promise<void>;
}

/** The part of the sender that output needs. */
export type OutputSink = Pick<FrameSender, 'push' | 'congested' | 'room'>;

/** Turns one output stream of a program into frames; stops reading while the agent does not keep up. */
export class OutputPump {
  readonly ended: Promise<void>;
  /** Pieces read so far. */
  pieces = 0;
  private readonly chunker = new Utf8Chunker();
  private held: Promise<void> | undefined;

  constructor(
    private readonly stream: Readable,
    private readonly kind: 'stdout' | 'stderr',
    private readonly sender: OutputSink,
    private readonly echo?: Echo,
  ) {
    stream.on('data', (data: Buffer) => this.take(data));
    this.ended = new Promise<void>((resolve) => {
      stream.once('error', () => resolve());
      stream.once('close', () => resolve());
    }).then(() => this.flush());
  }

  /**
   * Resolves when everything written before the call has become frames: a whole turn of the event loop polls the
   * stream and finds nothing. Works because a write to a pipe is readable at once.
   */
  static async drained(pumps: readonly OutputPump[]): Promise<void> {
    for (;;) {
      for (const pump of pumps) await pump.held;
      const before = pumps.reduce((sum, pump) => sum + pump.pieces, 0);
      await turn();
      await turn();
      const after = pumps.reduce((sum, pump) => sum + pump.pieces, 0);
      if (before === after && pumps.every((pump) => pump.held === undefined)) break;
    }
    for (const pump of pumps) pump.flush();
  }

  /** Sends what is left of an unfinished character. */
  flush(): void {
    this.emit(this.chunker.end());
  }

  /** Reads no more, so that a program that still holds the other end does not keep anything waiting. */
  abandon(): void {
    this.stream.destroy();
  }

  private take(data: Buffer): void {
    this.pieces += 1;
    this.emit(this.chunker.push(data));
    const waits = [this.echo?.write(data), this.sender.congested ? this.sender.room() : undefined];
    const needed = waits.filter((wait) => wait !== undefined);
    if (needed.length === 0) return;
    this.stream.pause();
    this.held = Promise.all(needed).then(() => {
      this.held = undefined;
      this.stream.resume();
    });
  }

  private emit(data: Buffer): void {
    if (data.length > 0) this.sender.push({ kind: this.kind, payload: data });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
