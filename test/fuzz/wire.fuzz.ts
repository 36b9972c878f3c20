import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawPeer } from '../support/rpc-peer.js';
import type { FuzzContext, Fuzzer } from './fuzzer.js';
import { MIB, mib } from './mib.js';
import { Random } from './random.js';
import { FuzzedServer } from './rpc/fuzzed-server.js';
import { conversation } from './wire/zmtp.js';

/** Connections at once; after so many a ping. */
const BATCH = 40;
const LOOK_EVERY = 10_000;
const LONGEST_MS = 15;
const CLOSE_MS = 20;
const MAX_RESIDENT_GROWTH_BYTES = 64 * MIB;

/** How a connection goes, drawn before it is made: what others do meanwhile changes nothing. */
interface Plan {
  readonly bytes: Buffer;
  /** It pauses after so many of them. */
  readonly cut: number;
  readonly pauseMs: number;
  readonly lastsMs: number;
  readonly end: 'reset' | 'drop' | 'half-close';
}

function planned(random: Random): Plan {
  const bytes = conversation(random);
  return {
    bytes,
    cut: random.chance(30) ? random.below(bytes.length + 1) : bytes.length,
    pauseMs: random.below(4),
    lastsMs: random.below(LONGEST_MS),
    end: random.pick(['reset', 'drop', 'half-close']),
  };
}

async function connection(port: number, { bytes, cut, pauseMs, lastsMs, end }: Plan): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  // That the server ends it is what it should do.
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(bytes.subarray(0, cut));
  if (cut < bytes.length) {
    await sleep(pauseMs);
    socket.write(bytes.subarray(cut));
  }
  await sleep(lastsMs);
  if (end === 'half-close') {
    socket.end();
    await sleep(CLOSE_MS);
  }
  if (end === 'reset') socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}

async function attackServer(
  mode: 'plain' | 'curve',
  { seed, count, signal, say }: FuzzContext,
): Promise<{ readonly slowestMs: number; readonly growth: number }> {
  const random = new Random(seed);
  await using server = new FuzzedServer(mode);
  const { endpoint, keys } = await server.state(false);
  using probe = new RawPeer(endpoint, keys);
  const port = Number(new URL(endpoint).port);
  let slowestMs = 0;
  let settled: number | undefined;
  for (let made = 0; made < count;) {
    signal.throwIfAborted();
    const size = Math.min(BATCH, count - made);
    const batch = Array.from({ length: size }, () => connection(port, planned(random)));
    const began = performance.now();
    const { result } = await probe.call('ping', [made]);
    slowestMs = Math.max(slowestMs, performance.now() - began);
    if (result !== made) throw new Error(`ping ${made} was answered by ${String(result)}`);
    await Promise.all(batch);
    if (server.fault !== undefined) throw new Error(`the server failed: ${server.fault}`);
    made += size;
    if (made % LOOK_EVERY >= size && made < count) continue;
    const { residentBytes } = await server.state();
    if (made >= count / 5) settled ??= residentBytes;
    say(`${made} of ${count} connections, ${mode}, RSS ${mib(residentBytes)} MiB`);
  }
  const growth = (await server.state()).residentBytes - (settled ?? 0);
  if (growth > MAX_RESIDENT_GROWTH_BYTES) throw new Error(`${mode}: RSS is ${mib(growth)} MiB larger`);
  return { slowestMs, growth };
}

async function run(context: FuzzContext): Promise<Readonly<Record<string, number | string>>> {
  const began = performance.now();
  const plain = await attackServer('plain', context);
  const curve = await attackServer('curve', context);
  return {
    connections: 2 * context.count,
    'slowest ping, ms': Math.round(Math.max(plain.slowestMs, curve.slowestMs)),
    'RSS growth, MiB': mib(Math.max(plain.growth, curve.growth)),
    seconds: Math.round((performance.now() - began) / 1_000),
  };
}

export const wireFuzzer: Fuzzer = {
  name: 'wire',
  what: 'connections to the RPC server, with and without keys: greetings, handshakes, frames, lengths, hang-ups',
  fullCount: 40_000,
  run,
};
