import { invalidArgument, portPoolExhausted } from '../error/errors.js';

interface FreePort {
  readonly port: number;
  /** Monotonic milliseconds; `undefined` = never used, so there is nothing to cool down from. */
  readonly releasedAt: number | undefined;
}

/**
 * The book of host ports (lifecycle.md §6.10): first released, first given again, and not before its cool-down is over,
 * so that a client of a dead kernel does not talk to the next one. Times are the caller's, monotonic milliseconds.
 *
 * It knows what this agent gave out, not who else listens: `isExcluded` of `take` says that.
 */
export class PortPool {
  readonly #free: FreePort[] = [];
  readonly #used = new Set<number>();

  /** `range` is inclusive. */
  constructor(
    private readonly range: readonly [number, number],
    private readonly cooldownMs: number,
  ) {
    const [first, last] = range;
    if (!Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last > 65_535 || first > last) {
      throw invalidArgument(`the port range ${first}-${last} is not a range`, {
        field: 'container.port-range',
        allowed: 'two ports between 1 and 65535, the lower one first',
      });
    }
    for (let port = first; port <= last; port += 1) this.#free.push({ port, releasedAt: undefined });
  }

  /** Ports not given out, cooling ones included. */
  get free(): number {
    return this.#free.length;
  }

  get used(): number {
    return this.#used.size;
  }

  /** Ports not given out and not yet to be given out. */
  cooling(now: number): number {
    return this.#free.filter((entry) => this.#isCooling(entry, now)).length;
  }

  /**
   * Gives out the port that has been free for the longest time. Ports for which `isExcluded` is true (somebody else
   * listens there) keep their place. With `isUrgent` it may be one that is still cooling down, if there is no other.
   * Throws PortPoolExhaustedError.
   */
  take(now: number, isExcluded: (port: number) => boolean = () => false, isUrgent = false): number {
    let index = this.#free.findIndex((entry) => !this.#isCooling(entry, now) && !isExcluded(entry.port));
    if (index < 0 && isUrgent) index = this.#free.findIndex((entry) => !isExcluded(entry.port));
    const [entry] = index < 0 ? [] : this.#free.splice(index, 1);
    if (!entry) throw this.#exhausted(now);
    this.#used.add(entry.port);
    return entry.port;
  }

  /** Gives a port back; one that is not given out (foreign, or given back before) is ignored. */
  release(port: number, now: number): void {
    if (this.#used.delete(port)) this.#free.push({ port, releasedAt: now });
  }

  /**
   * Marks a port as given out, cool-down or not: a kernel found at start has it. False if it is given out already or
   * outside the range, where there is nothing to keep a book of.
   */
  claim(port: number): boolean {
    const index = this.#free.findIndex((entry) => entry.port === port);
    if (index < 0) return false;
    this.#free.splice(index, 1);
    this.#used.add(port);
    return true;
  }

  #isCooling(entry: FreePort, now: number): boolean {
    return entry.releasedAt !== undefined && now - entry.releasedAt < this.cooldownMs;
  }

  #exhausted(now: number): Error {
    const [first, last] = this.range;
    const cooling = this.cooling(now);
    const taken = this.#free.length - cooling;
    return portPoolExhausted(
      `no host port left in ${first}-${last}: ${this.#used.size} used by kernels, ` +
        `${cooling} cooling down for up to ${this.cooldownMs / 1000} s, ${taken} taken by other programs`,
      { field: 'container.port-range', hint: 'widen [container] port-range, or destroy kernels that are not needed' },
    );
  }
}
