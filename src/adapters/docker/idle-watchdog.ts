import type { Readable } from 'node:stream';

/**
 * Watches a stream that may rightly be silent for hours. After each silent interval it asks the engine for a sign of
 * life; without one the stream is destroyed, so that a reader of a half-dead connection wakes up.
 */
export class IdleWatchdog implements Disposable {
  readonly #timer: NodeJS.Timeout;
  readonly #stream: Readable;
  readonly #onData = () => (this.#silent = false);
  #silent = true;
  #asking = false;

  constructor(stream: Readable, intervalMs: number, probe: () => Promise<unknown>) {
    this.#stream = stream;
    stream.prependListener('readable', this.#onData);
    this.#timer = setInterval(() => {
      const ask = this.#silent && !this.#asking;
      this.#silent = true;
      if (!ask) return;
      this.#asking = true;
      probe()
        .catch((error: unknown) => {
          stream.destroy(error instanceof Error ? error : new Error(String(error)));
        })
        .finally(() => (this.#asking = false));
    }, intervalMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#stream.off('readable', this.#onData);
  }
}
