/** Waiting for something to happen to a key, without a timer of its own. */
export class Wakeups<Key> {
  readonly #sleepers = new Map<Key, Set<() => void>>();

  /** Resolves with the next `wake(key)` or when `signal` fires. */
  sleep(key: Key, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleepers = this.#sleepers.get(key) ?? new Set();
      this.#sleepers.set(key, sleepers);
      const rise = () => {
        signal.removeEventListener('abort', rise);
        sleepers.delete(rise);
        if (sleepers.size === 0) this.#sleepers.delete(key);
        resolve();
      };
      sleepers.add(rise);
      signal.addEventListener('abort', rise, { once: true });
    });
  }

  wake(key: Key): void {
    for (const rise of [...(this.#sleepers.get(key) ?? [])]) rise();
  }
}
