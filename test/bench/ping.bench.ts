import { fileURLToPath } from 'node:url';
import { callosumMissing, PYTHON } from '../support/callosum-python.js';
import { Daemon } from './harness/daemon.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { freePort } from './harness/free-port.js';
import { PythonProcess } from './harness/python-process.js';
import { recordedBody, refusedCreation } from './harness/rpc-bodies.js';
import { type LoadBlock, type LoadCall, RpcLoad } from './harness/rpc-load.js';
import { median, quantile } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

const ECHO = fileURLToPath(new URL('python/echo_server.py', import.meta.url));
const SERVER = fileURLToPath(new URL('python/callosum_server.py', import.meta.url));
/** Until what an agent does for one call alone is compiled, which takes a few seconds of it. */
const WARM_UP = 12_000;
const BLOCKS = 11;

interface Comparison {
  readonly name: string;
  readonly call: LoadCall;
  readonly inFlight: number;
  /** Calls of one block. */
  readonly total: number;
}

function comparisons(): readonly Comparison[] {
  const ping: LoadCall = { method: 'ping', body: recordedBody('ping'), answer: 2 };
  const creation: LoadCall = { method: 'create_kernels', body: refusedCreation(), answer: 3 };
  return [
    { name: 'ping, CURVE, 64 in flight', call: ping, inFlight: 64, total: 10_000 },
    { name: 'ping, CURVE, 1 in flight', call: ping, inFlight: 1, total: 2_000 },
    { name: 'create_kernels refused, CURVE, 64 in flight', call: creation, inFlight: 64, total: 3_000 },
    { name: 'create_kernels refused, CURVE, 1 in flight', call: creation, inFlight: 1, total: 1_000 },
  ];
}

interface Loads {
  readonly ours: RpcLoad;
  readonly theirs: RpcLoad;
  readonly echo: RpcLoad;
}

async function compare(loads: Loads, what: Comparison, quick: boolean): Promise<Figure[]> {
  const [mine, bare, echoed]: [LoadBlock[], LoadBlock[], LoadBlock[]] = [[], [], []];
  for (let block = 0; block < (quick ? 1 : BLOCKS); block += 1) {
    mine.push(await loads.ours.run(what.call, what.inFlight, what.total));
    bare.push(await loads.theirs.run(what.call, what.inFlight, what.total));
    echoed.push(await loads.echo.run({ ...what.call, answer: 1 }, what.inFlight, what.total));
  }
  const rate = (blocks: readonly LoadBlock[]): number => median(blocks.map(({ perSecond }) => perSecond));
  const p99 = (blocks: readonly LoadBlock[]): number =>
    quantile(
      blocks.flatMap(({ times }) => [...times]),
      0.99,
    );
  return [
    {
      name: `${what.name}: rate / Python Callosum`,
      value: rate(mine) / rate(bare),
      unit: '×',
      promise: { atLeast: 2 },
      detail: `${rate(mine).toFixed(0)} / ${rate(bare).toFixed(0)} a second`,
    },
    {
      name: `${what.name}: p99 / Python Callosum`,
      value: p99(mine) / p99(bare),
      unit: '×',
      promise: { atMost: 1 },
      detail: `${p99(mine).toFixed(2)} / ${p99(bare).toFixed(2)} ms`,
    },
    // No promise: it tells how much of a round trip is the transport, which no server can do without.
    {
      name: `${what.name}: rate / a server that only echoes`,
      value: rate(mine) / rate(echoed),
      unit: '×',
      detail: `${rate(mine).toFixed(0)} / ${rate(echoed).toFixed(0)} a second`,
    },
  ];
}

export const pingBench: Bench = {
  name: 'ping',
  what: 'RPC answers, against a bare server on the Python Callosum library; one load generator for both',

  async run({ quick, say }: BenchContext): Promise<readonly Figure[]> {
    const missing = await callosumMissing();
    if (missing !== undefined) throw new Error(missing);
    await using workplace = await Workplace.make({ curve: true });
    const { keys } = workplace;
    if (!keys) throw new Error('no keys were made');
    await using daemon = await Daemon.start(workplace);
    const [endpoint, echoEndpoint] = [`tcp://127.0.0.1:${await freePort()}`, `tcp://127.0.0.1:${await freePort()}`];
    await using server = await PythonProcess.start(PYTHON, [
      SERVER,
      endpoint,
      keys.agentSecret,
      keys.agentPublic,
      keys.managerPublic,
    ]);
    await using echoServer = await PythonProcess.start(PYTHON, [
      ECHO,
      echoEndpoint,
      keys.agentSecret,
      keys.agentPublic,
    ]);
    say(`process ${daemon.pid} against processes ${server.pid} and ${echoServer.pid}`);
    await using ours = await RpcLoad.start(workplace.rpcEndpoint, keys);
    await using theirs = await RpcLoad.start(endpoint, keys);
    await using echo = await RpcLoad.start(echoEndpoint, keys);
    const figures: Figure[] = [];
    for (const what of comparisons()) {
      for (const load of [ours, theirs]) await load.run(what.call, what.inFlight, quick ? 100 : WARM_UP);
      figures.push(...(await compare({ ours, theirs, echo }, what, quick)));
    }
    return figures;
  },
};
