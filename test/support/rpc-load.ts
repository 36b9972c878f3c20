import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import { kernelNumber } from './event-sender.js';
import { RawPeer } from './rpc-peer.js';

/** A call every so often, whether the one before was answered or not: a stall is seen by all that fall into it. */
const CALL_EVERY_MS = 10;
const KERNEL_EVERY_MS = 100;
const KERNEL = '11111111-1111-4111-8111-111111111111';
const CALLS: readonly (readonly [method: string, args: readonly unknown[]])[] = [
  ['ping', ['x']],
  ['check_running', [KERNEL]],
  ['health', []],
];
/** Nobody has it, and nobody may fetch it: the life of such a kernel is short, and told to its end. */
const NO_IMAGE = { canonical: 'registry.invalid/none:1', is_local: true, auto_pull: 'none' };

/** How long answers took, in milliseconds. */
export interface Latencies {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * What Managers ask of an agent all the time, from one connection, and from another the creation of kernels that can't be
 * made. Every answer is timed.
 */
export class RpcLoad implements AsyncDisposable {
  /** Number of the next kernel; they are those of `kernelNumber`. */
  next: number;
  readonly #calls: Lane;
  readonly #kernels: Lane;

  constructor(endpoint: string, firstKernel = 1) {
    this.next = firstKernel;
    this.#calls = new Lane(endpoint, CALL_EVERY_MS, (at) => CALLS[at % CALLS.length] ?? ['ping', []]);
    this.#kernels = new Lane(endpoint, KERNEL_EVERY_MS, () => [
      'create_kernel',
      [{ kernel_id: kernelNumber(this.next++), image: NO_IMAGE, resource_slots: { cpu: '1', mem: '64m' } }],
    ]);
  }

  /** No more kernels; resolves when the last one is answered. */
  async stopKernels(): Promise<Latencies> {
    return this.#kernels.stop();
  }

  /** Resolves when everything is answered. */
  async stop(): Promise<Latencies> {
    await this.#kernels.stop();
    return this.#calls.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#kernels.stop(), this.#calls.stop()]);
  }
}

/** One connection, its calls at a steady pace and the answers as they come. */
class Lane {
  readonly #took: number[] = [];
  readonly #begun = new Map<number, number>();
  readonly #running: Promise<unknown>;
  #isOn = true;

  constructor(
    endpoint: string,
    everyMs: number,
    private readonly call: (at: number) => readonly [string, readonly unknown[]],
  ) {
    const peer = new RawPeer(endpoint);
    this.#running = Promise.all([this.#ask(peer, everyMs), this.#hear(peer)]).finally(() => peer[Symbol.dispose]());
    // Told by `stop`.
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<Latencies> {
    this.#isOn = false;
    await this.#running;
    const sorted = this.#took.toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
    return { calls: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1 - 1 / sorted.length) };
  }

  async #ask(peer: RawPeer, everyMs: number): Promise<void> {
    for (let at = 0; this.#isOn; at++) {
      const [method, args] = this.call(at);
      this.#begun.set(at, performance.now());
      await peer.sendBody(method, encode({ args, kwargs: {} }), at);
      await sleep(everyMs);
    }
  }

  /** Rejects when one is not answered for ten seconds. */
  async #hear(peer: RawPeer): Promise<void> {
    while (this.#isOn || this.#begun.size > 0) {
      if (this.#begun.size === 0) {
        await sleep(1);
        continue;
      }
      const { seq } = await peer.receive();
      this.#took.push(performance.now() - (this.#begun.get(seq) ?? Number.NaN));
      this.#begun.delete(seq);
    }
  }
}
