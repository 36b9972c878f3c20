import type { EngineEvent } from '../../src/application/ports/container-engine.port.js';

type OnConnection = (connected: boolean, error?: Error) => void;

/** The event memory of the fake engine. Watchers get everything from their time on, also what came while cut off. */
export class FakeEvents {
  readonly #events: EngineEvent[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #watchers = new Set<OnConnection>();
  #connected = true;
  #losing: { action: EngineEvent['action'] | undefined; left: number } = { action: undefined, left: 0 };

  /** Everything that was not lost. */
  get all(): readonly EngineEvent[] {
    return this.#events;
  }

  /** The next `times` events (of one action) are never told. */
  lose(action: EngineEvent['action'] | undefined, times: number): void {
    this.#losing = { action, left: times };
  }

  emit(event: EngineEvent): void {
    const { action, left } = this.#losing;
    if (left > 0 && (action === undefined || action === event.action)) {
      this.#losing.left -= 1;
      return;
    }
    this.#events.push(event);
    this.#wake();
  }

  connect(connected: boolean, error?: Error): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    for (const tell of this.#watchers) tell(connected, error);
    this.#wake();
  }

  async *watch(
    sinceMs: number,
    signal: AbortSignal,
    onConnection: OnConnection = () => undefined,
  ): AsyncGenerator<EngineEvent> {
    this.#watchers.add(onConnection);
    try {
      onConnection(this.#connected);
      let next = 0;
      while (!signal.aborted) {
        const event = this.#connected ? this.#events[next] : undefined;
        if (!event) await this.#changed(signal);
        else {
          next += 1;
          if (event.timeMs >= sinceMs) yield event;
        }
      }
    } finally {
      this.#watchers.delete(onConnection);
    }
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
