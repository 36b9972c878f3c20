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

/** What its handler may know of a call's life. The signals are made when they are asked for. */
export interface CallLife {
  /** Fires when the caller has left or the server closes. */
  readonly signal: AbortSignal;
  /** Fires when the server closes: for work that must come to its end even if nobody waits for it. */
  readonly closing: AbortSignal;
  readonly ended: CallCancelled | ServerClosing | undefined;
}

/** A call that was accepted and not yet answered. */
export interface Call extends CallLife {
  /** True for the one who may answer: the handler, or the server when it closes first. */
  finish(): boolean;
}

export interface InFlightLimits {
  readonly maxCalls: number;
  readonly maxBytes: number;
  /** Of one peer: a part of the whole, so that one never shuts out the others. */
  readonly maxPeerCalls: number;
  readonly maxPeerBytes: number;
}

export interface NewCall {
  readonly peer: string;
  readonly key: string;
  readonly bytes: number;
  /** Called if the server closes before the call was finished. */
  readonly abandon: () => void;
}

/** What calls hold together. */
interface Load {
  calls: number;
  bytes: number;
}

class Entry implements Call {
  ended: CallCancelled | ServerClosing | undefined;
  private leaving: AbortController | undefined;
  private shutdown: AbortController | undefined;

  constructor(
    readonly call: NewCall,
    private readonly remove: (entry: Entry) => boolean,
  ) {}

  get signal(): AbortSignal {
    this.leaving ??= controllerOf(this.ended);
    return this.leaving.signal;
  }

  get closing(): AbortSignal {
    this.shutdown ??= controllerOf(this.ended instanceof ServerClosing ? this.ended : undefined);
    return this.shutdown.signal;
  }

  end(reason: CallCancelled | ServerClosing): void {
    this.ended ??= reason;
    this.leaving?.abort(reason);
    if (reason instanceof ServerClosing) this.shutdown?.abort(reason);
  }

  finish(): boolean {
    return this.remove(this);
  }
}

function controllerOf(reason: Error | undefined): AbortController {
  const controller = new AbortController();
  if (reason !== undefined) controller.abort(reason);
  return controller;
}

/**
 * The calls being worked on, within bounds. The same request id may be there more than once: each is served
 * (rpc.md §1.9), a CANCEL reaches all of them.
 */
export class InFlightCalls {
  private readonly entries = new Map<string, Entry[]>();
  private readonly total: Load = { calls: 0, bytes: 0 };
  private readonly peers = new Map<string, Load>();
  private readonly idleWaiters = new Set<() => void>();

  constructor(private readonly limits: InFlightLimits) {}

  get size(): number {
    return this.total.calls;
  }

  /** @throws ServerOverloadedError when the bounds are reached. */
  accept(call: NewCall): Call {
    const load = this.peers.get(call.peer) ?? { calls: 0, bytes: 0 };
    const { maxCalls, maxBytes, maxPeerCalls, maxPeerBytes } = this.limits;
    if (this.total.calls >= maxCalls || load.calls >= maxPeerCalls) {
      throw overloaded(`${this.total.calls} calls are being served, ${load.calls} of them yours: no more are taken`);
    }
    if (this.total.bytes + call.bytes > maxBytes || load.bytes + call.bytes > maxPeerBytes) {
      throw overloaded(`the calls being served hold ${this.total.bytes} bytes: no more are taken`);
    }
    const entry = new Entry(call, (self) => this.remove(self));
    const twins = this.entries.get(call.key);
    if (twins === undefined) this.entries.set(call.key, [entry]);
    else twins.push(entry);
    this.peers.set(call.peer, load);
    for (const sum of [this.total, load]) {
      sum.calls += 1;
      sum.bytes += call.bytes;
    }
    return entry;
  }

  /** Ends the calls with this key; says how many there were. */
  cancel(key: string): number {
    const twins = [...(this.entries.get(key) ?? [])];
    for (const entry of twins) entry.end(new CallCancelled());
    return twins.length;
  }

  abortAll(): void {
    for (const entry of this.all()) entry.end(new ServerClosing());
  }

  /** Ends every call that is left by its `abandon`; their handlers may run on, but answer nothing. */
  abandonAll(): void {
    for (const entry of this.all()) if (this.remove(entry)) entry.call.abandon();
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    return this.size === 0 ? Promise.resolve() : new Promise((resolve) => this.idleWaiters.add(resolve));
  }

  private all(): Entry[] {
    return [...this.entries.values()].flat();
  }

  private remove(entry: Entry): boolean {
    const { key, peer, bytes } = entry.call;
    const twins = this.entries.get(key);
    const at = twins?.indexOf(entry) ?? -1;
    if (twins === undefined || at < 0) return false;
    twins.splice(at, 1);
    if (twins.length === 0) this.entries.delete(key);
    const load = this.peers.get(peer);
    for (const sum of [this.total, load]) {
      if (sum === undefined) continue;
      sum.calls -= 1;
      sum.bytes -= bytes;
    }
    if (load?.calls === 0) this.peers.delete(peer);
    if (this.size === 0) {
      for (const resolve of this.idleWaiters) resolve();
      this.idleWaiters.clear();
    }
    return true;
  }
}
