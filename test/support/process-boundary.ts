/** One call from an agent to its machine: `engine.createContainer`. */
export interface Crossing {
  readonly name: string;
  readonly args: readonly unknown[];
  /** 1 = the first call of this process. */
  readonly number: number;
}

/** Stands in for a call: does `effect` or not, and answers what it likes. */
export type Meddler = (crossing: Crossing, effect: () => Promise<unknown>) => Promise<unknown>;

const SYNCHRONOUS: ReadonlySet<string> = new Set(['paths', 'subscribe']);
const STREAMS: ReadonlySet<string> = new Set(['containerLogs', 'exportImage', 'getArchive', 'watchEvents']);

/**
 * The line between an agent's process and its machine. Every call over it is counted and can be meddled with. Once the
 * process is killed no call has an effect any more and none is answered: whoever waits, waits for ever.
 */
export class ProcessBoundary {
  readonly crossings: Crossing[] = [];
  meddle: Meddler | undefined;
  readonly #onKill: (() => void)[] = [];
  #isAlive = true;

  kill(): void {
    this.#isAlive = false;
    for (const end of this.#onKill.splice(0)) end();
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** What the operating system does when the process dies. */
  onKill(end: () => void): void {
    if (this.#isAlive) this.#onKill.push(end);
    else end();
  }

  wrap<T extends object>(port: string, target: T): T {
    return new Proxy(target, {
      get: (_, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function' || typeof key !== 'string') return member;
        const call = (...args: unknown[]): unknown => Reflect.apply(member, target, args);
        if (SYNCHRONOUS.has(key)) return call;
        if (STREAMS.has(key)) return (...args: unknown[]) => this.#stream(call(...args) as AsyncIterable<unknown>);
        return (...args: unknown[]) => this.#cross(`${port}.${key}`, args, () => call(...args) as Promise<unknown>);
      },
    });
  }

  async #cross(name: string, args: readonly unknown[], effect: () => Promise<unknown>): Promise<unknown> {
    if (this.#isDead()) return await never();
    const crossing = { name, args, number: this.crossings.length + 1 };
    this.crossings.push(crossing);
    try {
      const result = await (this.meddle ? this.meddle(crossing, effect) : effect());
      return this.#isDead() ? await never() : result;
    } catch (error) {
      if (!this.#isDead()) throw error;
      return await never();
    }
  }

  /** Asked again after each wait. */
  #isDead(): boolean {
    return !this.#isAlive;
  }

  async *#stream(items: AsyncIterable<unknown>): AsyncGenerator {
    for await (const item of items) {
      if (!this.#isAlive) return;
      yield item;
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
