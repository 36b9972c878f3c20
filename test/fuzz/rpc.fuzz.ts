import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { FuzzContext, Fuzzer } from './fuzzer.js';
import { Random } from './random.js';
import { attack } from './rpc/attack.js';
import { tryDecoders } from './rpc/decoders.js';
import type { ServerState } from './rpc/server-process.js';

const SERVER = fileURLToPath(new URL('rpc/server-process.js', import.meta.url));
const MIB = 1024 * 1024;
const STATE_MS = 30_000;
/** Messages between two looks at the memory, at most. */
const LOOK_EVERY = 20_000;
/** What a server that keeps nothing may still use more at the end than after a fifth of the messages. */
const MAX_GROWTH_BYTES = 16 * MIB;

/** The server's process; it ends with this object, and everything it says goes wrong is kept. */
class Server implements AsyncDisposable {
  fault: string | undefined;
  private readonly child: ChildProcess;

  constructor() {
    this.child = fork(SERVER, { execArgv: ['--expose-gc', '--enable-source-maps'], stdio: ['ignore', 2, 2, 'ipc'] });
    this.child.on('message', (told: { readonly fault?: string }) => {
      this.fault ??= told.fault;
    });
    this.child.on('exit', (code, signal) => {
      this.fault ??= `the server ended: ${String(code ?? signal)}`;
    });
  }

  /** The next thing that the server says of itself. */
  async state(ask = true): Promise<ServerState> {
    const deadline = AbortSignal.timeout(STATE_MS);
    if (ask) this.child.send('state');
    for (;;) {
      const [told] = (await once(this.child, 'message', { signal: deadline })) as [ServerState | { fault: string }];
      if ('endpoint' in told) return told;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.send('end');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(timer);
  }
}

async function run({ seed, count, signal, say }: FuzzContext): Promise<Readonly<Record<string, number | string>>> {
  const sound = tryDecoders(new Random(seed), count);
  say(`${count} inputs read without a socket, ${sound} of them sound`);

  await using server = new Server();
  const { endpoint } = await server.state(false);
  const look = Math.min(LOOK_EVERY, Math.max(1_000, Math.floor(count / 10)));
  let settled: number | undefined;
  let last = 0;
  const check = async (sent: number): Promise<void> => {
    if (server.fault !== undefined) throw new Error(`the server failed: ${server.fault}`);
    if (sent - last < look && sent < count) return;
    last = sent;
    const { usedBytes } = await server.state();
    if (sent >= count / 5) settled ??= usedBytes;
    say(`${sent} of ${count} messages, the server uses ${(usedBytes / MIB).toFixed(1)} MiB`);
  };
  const began = performance.now();
  const report = await attack({ endpoint, random: new Random(seed), count, signal, between: check });
  const seconds = (performance.now() - began) / 1_000;
  if (server.fault !== undefined) throw new Error(`the server failed: ${server.fault}`);
  const end = await server.state();
  const growth = end.usedBytes - (settled ?? end.usedBytes);
  if (end.inFlight > 0) throw new Error(`${end.inFlight} calls are still in flight`);
  if (growth > MAX_GROWTH_BYTES) throw new Error(`the server keeps ${(growth / MIB).toFixed(1)} MiB more than before`);
  return {
    messages: report.sent,
    replies: report.replies,
    rejected: end.rejected,
    ignored: end.ignored,
    'decoder inputs': count,
    'slowest ping, ms': Math.round(report.slowestPingMs),
    'memory growth, MiB': (growth / MIB).toFixed(1),
    'messages per second': Math.round(report.sent / seconds),
  };
}

export const rpcFuzzer: Fuzzer = {
  name: 'rpc',
  what: 'messages to the RPC server: frames, headers, bodies, extension types, pickles, nesting, lengths',
  fullCount: 1_000_000,
  run,
};
