import { overloaded } from '../wire-errors.js';

/** Why a call's signal fired: the caller has left and wants no answer. */
export class CallCancelled extends Error {
  override readonly name = 'AbortError';

  constructor() {
    super('cancelled by the caller');
  }
}

/** Why a call's signal fired: the server closes and still owes an answer. */
export class ServerClosing extends Error {
  override readonly name = 'AbortError';

  constructor() {
    super('the agent is shutting down');
  }
}

/** A call that was accepted and not yet answered. */
export interface Call {
  readonly signal: AbortSignal;
  /** True for the one who may answer: the handler, or the server when it closes first. */
  finish(): boolean;
}

export interface InFlightLimits {
  readonly maxCalls: number;
  readonly maxBytes: number;
}

interface Entry {
  readonly key: string;
  readonly bytes: number;
  readonly controller: AbortController;
  readonly abandon: () => void;
}

/**
 * The calls being worked on, within bounds. The same request id may be there more than once: each is served
 * (rpc.md §1.9), a CANCEL reaches all of them.
 */
export class InFlightCalls {
  private readonly entries = new Map<string, Set<Entry>>();
  private count = 0;
  private bytes = 0;
  private readonly idleWaiters = new Set<() => void>();

  constructor(private readonly limits: InFlightLimits) {}

  get size(): number {
    return this.count;
  }

  /**
   * `exempt` calls are never refused. `abandon` is called if the server closes before the call was finished.
   *
   * @throws ServerOverloadedError when the bounds are reached.
   */
  accept(key: string, bytes: number, exempt: boolean, abandon: () => void): Call {
    if (!exempt && this.count >= this.limits.maxCalls) {
      throw overloaded(`${this.count} calls are being served, no more are taken`);
    }
    if (!exempt && this.bytes + bytes > this.limits.maxBytes) {
      throw overloaded(`the calls being served hold ${this.bytes} bytes, no more are taken`);
    }
    const entry: Entry = { key, bytes, controller: new AbortController(), abandon };
    const twins = this.entries.get(key);
    if (twins === undefined) this.entries.set(key, new Set([entry]));
    else twins.add(entry);
    this.count += 1;
    this.bytes += bytes;
    return { signal: entry.controller.signal, finish: () => this.remove(entry) };
  }

  /** Fires the signals of the calls with this key; says how many there were. */
  cancel(key: string): number {
    const twins = [...(this.entries.get(key) ?? [])];
    for (const { controller } of twins) controller.abort(new CallCancelled());
    return twins.length;
  }

  abortAll(): void {
    for (const entry of this.all()) entry.controller.abort(new ServerClosing());
  }

  /** Ends every call that is left by its `abandon`; their handlers may run on, but answer nothing. */
  abandonAll(): void {
    for (const entry of this.all()) if (this.remove(entry)) entry.abandon();
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return this.count === 0 ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.add(resolve));
  }

  private all(): Entry[] {
    return [...this.entries.values()].flatMap((twins) => [...twins]);
  }

  private remove(entry: Entry): boolean {
    const twins = this.entries.get(entry.key);
    if (twins?.delete(entry) !== true) return false;
    if (twins.size === 0) this.entries.delete(entry.key);
    this.count -= 1;
    this.bytes -= entry.bytes;
    if (this.count === 0) {
      for (const resolve of this.idleWaiters) resolve();
      this.idleWaiters.clear();
    }
    return true;
  }
}
