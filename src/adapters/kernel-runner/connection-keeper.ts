import type { EventType, Pull } from 'zeromq';

/** ZeroMQ tells within milliseconds that it tries again. */
const PATIENCE_MS = 500;
const LOST: readonly EventType[] = ['disconnect', 'handshake:error:protocol', 'handshake:error:other'];
const TRYING: readonly EventType[] = ['connect', 'connect:delay', 'connect:retry'];

/**
 * Makes a connection that ZeroMQ has given up for good: it reconnects by itself after a lost connection, but never
 * after a violation of its protocol, of which a message above the size limit is one. The runner would be mute for ever.
 */
export class ConnectionKeeper implements Disposable {
  #check: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Pull,
    private readonly endpoint: string,
    private readonly onRenewed: () => void,
  ) {
    for (const event of LOST) socket.events.on(event, () => this.#watch());
    for (const event of TRYING) socket.events.on(event, () => this.#calm());
  }

  [Symbol.dispose](): void {
    this.#calm();
  }

  #watch(): void {
    this.#check ??= setTimeout(() => {
      this.#check = undefined;
      if (this.socket.closed) return;
      this.onRenewed();
      // Never two connections to one runner: it would deal its messages out to both, and their order would be lost.
      this.socket.disconnect(this.endpoint);
      this.socket.connect(this.endpoint);
    }, PATIENCE_MS).unref();
  }

  #calm(): void {
    clearTimeout(this.#check);
    this.#check = undefined;
  }
}
