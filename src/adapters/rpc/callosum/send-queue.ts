import type { Frames } from './frames.js';

/** The part of a socket that sends; only one send may be under way at a time. */
export interface FrameSink {
  send(frames: Uint8Array[]): Promise<void>;
}

/** Puts the replies of concurrent handlers through one socket, in the order they were queued. Never throws. */
export class SendQueue {
  private readonly waiting: Frames[] = [];
  private draining: Promise<void> | undefined;

  constructor(
    private readonly sink: FrameSink,
    private readonly onError: (error: unknown) => void,
  ) {}

  push(frames: Frames): void {
    this.waiting.push(frames);
    this.draining ??= this.drain();
  }

  /** Resolves when everything queued so far was handed to the socket. */
  async flush(): Promise<void> {
    await this.draining;
  }

  private async drain(): Promise<void> {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      try {
        await this.sink.send([...next]);
      } catch (error) {
        this.onError(error);
      }
    }
    this.draining = undefined;
  }
}
