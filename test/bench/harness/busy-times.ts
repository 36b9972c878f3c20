/** When calls to outside systems were under way, in milliseconds of the monotonic clock. */
export class BusyTimes {
  #spans: [from: number, to: number][] = [];

  /** Milliseconds between two times during which at least one call was under way. */
  between(from: number, to: number): number {
    let covered = 0;
    let end = from;
    for (const [begin, stop] of [...this.#spans].sort((a, b) => a[0] - b[0])) {
      const [low, high] = [Math.max(begin, end), Math.min(stop, to)];
      if (high > low) {
        covered += high - low;
        end = high;
      }
    }
    return covered;
  }

  clear(): void {
    this.#spans = [];
  }

  /**
   * The same object, its calls timed; all of them, or those that are named. What answers with a stream is passed
   * through. `onCall` sees each call.
   */
  watch<T extends object>(target: T, names?: readonly string[], onCall?: (name: string, args: unknown[]) => void): T {
    return new Proxy(target, {
      get: (object, name) => {
        const member: unknown = Reflect.get(object, name, object);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          if (typeof name === 'string') onCall?.(name, args);
          const from = performance.now();
          const result: unknown = Reflect.apply(member, object, args);
          if (!(result instanceof Promise) || typeof name !== 'string' || (names && !names.includes(name)))
            return result;
          return result.finally(() => this.#spans.push([from, performance.now()]));
        };
      },
    });
  }
}
