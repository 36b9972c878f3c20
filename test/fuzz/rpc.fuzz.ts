import type { FuzzContext, Fuzzer } from './fuzzer.js';
import { MIB, mib } from './mib.js';
import { Random } from './random.js';
import { attack } from './rpc/attack.js';
import { tryDecoders } from './rpc/decoders.js';
import type { ServerState } from './rpc/server-process.js';
import { FuzzedServer } from './rpc/fuzzed-server.js';

/** Messages between two looks at the memory, at most. */
const LOOK_EVERY = 20_000;
/** What a server that keeps nothing may still use more at the end than after a fifth of the messages. */
const MAX_GROWTH_BYTES = 16 * MIB;
/** The same of the whole process, whose size also depends on when the collector runs. */
const MAX_RESIDENT_GROWTH_BYTES = 64 * MIB;

async function run({ seed, count, signal, say }: FuzzContext): Promise<Readonly<Record<string, number | string>>> {
  const sound = tryDecoders(new Random(seed), count);
  say(`${count} inputs read without a socket, ${sound} of them sound`);

  await using server = new FuzzedServer();
  const { endpoint } = await server.state(false);
  const look = Math.min(LOOK_EVERY, Math.max(1_000, Math.floor(count / 10)));
  let settled: ServerState | undefined;
  let last = 0;
  const check = async (sent: number): Promise<void> => {
    if (server.fault !== undefined) throw new Error(`the server failed: ${server.fault}`);
    if (sent - last < look && sent < count) return;
    last = sent;
    const state = await server.state();
    if (sent >= count / 5) settled ??= state;
    say(
      `${sent} of ${count} messages, the server uses ${mib(state.usedBytes)} MiB, RSS ${mib(state.residentBytes)} MiB`,
    );
  };
  const began = performance.now();
  const report = await attack({ endpoint, random: new Random(seed), count, signal, between: check });
  const seconds = (performance.now() - began) / 1_000;
  if (server.fault !== undefined) throw new Error(`the server failed: ${server.fault}`);
  const end = await server.state();
  const growth = end.usedBytes - (settled ?? end).usedBytes;
  const residentGrowth = end.residentBytes - (settled ?? end).residentBytes;
  if (end.inFlight > 0) throw new Error(`${end.inFlight} calls are still in flight`);
  if (growth > MAX_GROWTH_BYTES) throw new Error(`the server keeps ${mib(growth)} MiB more than before`);
  if (residentGrowth > MAX_RESIDENT_GROWTH_BYTES) throw new Error(`its RSS is ${mib(residentGrowth)} MiB larger`);
  return {
    messages: report.sent,
    replies: report.replies,
    rejected: end.rejected,
    ignored: end.ignored,
    'decoder inputs': count,
    'slowest ping, ms': Math.round(report.slowestPingMs),
    'memory growth, MiB': mib(growth),
    'RSS growth, MiB': mib(residentGrowth),
    'RSS, MiB': mib(end.residentBytes),
    seconds: Math.round(seconds),
    'messages per second': Math.round(report.sent / seconds),
  };
}

export const rpcFuzzer: Fuzzer = {
  name: 'rpc',
  what: 'messages to the RPC server: frames, headers, bodies, extension types, pickles, nesting, lengths',
  fullCount: 1_000_000,
  run,
};
