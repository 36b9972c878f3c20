import { setTimeout as sleep } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import { Dealer } from 'zeromq';
import { RawPeer } from '../../support/rpc-peer.js';
import type { Random } from '../random.js';
import { message } from './frames.js';
import { faultOf } from './replies.js';

const BATCH = 500;
/** Two connections, so that one message is not always behind the same others. */
const PEERS = 2;
const DRAIN_MS = 10_000;

export interface Attack {
  readonly endpoint: string;
  readonly random: Random;
  readonly count: number;
  readonly signal: AbortSignal;
  /** Called after every so many messages. */
  readonly between: (sent: number) => Promise<void>;
}

export interface AttackReport {
  readonly sent: number;
  readonly replies: number;
  /** Of the probe's pings, in milliseconds. */
  readonly slowestPingMs: number;
}

/** Sends generated messages, reads and checks every reply, and pings all the time from a connection of its own. */
export async function attack({ endpoint, random, count, signal, between }: Attack): Promise<AttackReport> {
  using probe = new RawPeer(endpoint);
  let replies = 0;
  let fault: string | undefined;
  const noise = Array.from({ length: PEERS }, () => {
    const socket = new Dealer({ linger: 0 });
    socket.connect(endpoint);
    return socket;
  });
  const readers = noise.map(async (socket) => {
    for await (const frames of socket) {
      replies += 1;
      fault ??= faultOf(frames);
    }
  });
  let slowestPingMs = 0;
  const ping = async (mark: number): Promise<void> => {
    const began = performance.now();
    const { result } = await probe.call('ping', [mark]);
    if (result !== mark) throw new Error(`ping ${mark} was answered by ${String(result)}`);
    slowestPingMs = Math.max(slowestPingMs, performance.now() - began);
  };
  let sent = 0;
  try {
    while (sent < count) {
      signal.throwIfAborted();
      const until = Math.min(count, sent + BATCH);
      for (; sent < until; sent += 1) await noise[sent % PEERS]?.send(message(random, sent));
      await ping(sent);
      if (fault !== undefined) throw new Error(`a reply that no Manager survives: ${fault}`);
      await between(sent);
    }
    await settle(noise, () => replies);
  } finally {
    for (const socket of noise) socket.close();
    await Promise.allSettled(readers);
  }
  return { sent, replies, slowestPingMs };
}

/** Waits until nothing more is answered. */
async function settle(noise: readonly Dealer[], replies: () => number): Promise<void> {
  const header = encode({ type: 1, meth: 'ping', okey: new Uint8Array(), seq: 0, zip: false });
  const body = encode({ meta: new Uint8Array(), body: encode({ args: ['end'], kwargs: {} }) });
  for (const socket of noise) await socket.send(['UPPER', header, body]);
  const deadline = performance.now() + DRAIN_MS;
  for (let before = -1; before !== replies() && performance.now() < deadline;) {
    before = replies();
    await sleep(100);
  }
}
