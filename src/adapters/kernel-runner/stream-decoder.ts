/** Bytes of one stdout or stderr message that are used (krunner.md §2.6). */
export const MAX_STREAM_PAYLOAD = 10 * 2 ** 20;

/**
 * Turns the pieces of a byte stream into text. A character may be split between pieces; broken ones become U+FFFD, and
 * a byte order mark stays, as the reference does it (krunner.md §2.6).
 */
export class StreamDecoder {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  decode(piece: Uint8Array): string {
    return this.#decoder.decode(piece.subarray(0, MAX_STREAM_PAYLOAD), { stream: true });
  }

  /** Forgets a dangling part of a character. */
  reset(): void {
    this.#decoder.decode();
  }
}
