import { fileURLToPath } from 'node:url';
import { callosumMissing, PYTHON } from '../support/callosum-python.js';
import { Daemon } from './harness/daemon.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { freePort } from './harness/free-port.js';
import { PythonProcess } from './harness/python-process.js';
import { RpcClient } from './harness/rpc-client.js';
import { median, quantile } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

const SERVER = fileURLToPath(new URL('python/callosum_server.py', import.meta.url));
const WARM_UP = 500;

interface Block {
  readonly perSecond: number;
  readonly times: readonly number[];
}

/** `total` pings, always `inFlight` of them at once. */
async function pings(client: RpcClient, inFlight: number, total: number): Promise<Block> {
  const times: number[] = [];
  let left = total;
  const began = performance.now();
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const sent = performance.now();
      if ((await client.call('ping', ['hello'])) !== 'hello') throw new Error('ping answered something else');
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return { perSecond: (total * 1000) / (performance.now() - began), times };
}

async function compare(ours: RpcClient, theirs: RpcClient, inFlight: number, quick: boolean): Promise<Figure[]> {
  const [mine, bare]: [Block[], Block[]] = [[], []];
  const total = inFlight === 1 ? 1_000 : 6_000;
  for (let block = 0; block < (quick ? 1 : 5); block += 1) {
    mine.push(await pings(ours, inFlight, total));
    bare.push(await pings(theirs, inFlight, total));
  }
  const rate = (blocks: readonly Block[]): number => median(blocks.map(({ perSecond }) => perSecond));
  const p99 = (blocks: readonly Block[]): number =>
    quantile(
      blocks.flatMap(({ times }) => times),
      0.99,
    );
  return [
    {
      name: `ping, CURVE, ${inFlight} in flight: rate / Python Callosum`,
      value: rate(mine) / rate(bare),
      unit: '×',
      detail: `${rate(mine).toFixed(0)} / ${rate(bare).toFixed(0)} a second`,
    },
    {
      name: `ping, CURVE, ${inFlight} in flight: p99 / Python Callosum`,
      value: p99(mine) / p99(bare),
      unit: '×',
      detail: `${p99(mine).toFixed(2)} / ${p99(bare).toFixed(2)} ms`,
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
    const endpoint = `tcp://127.0.0.1:${await freePort()}`;
    await using server = await PythonProcess.start(PYTHON, [
      SERVER,
      endpoint,
      keys.agentSecret,
      keys.agentPublic,
      keys.managerPublic,
    ]);
    await using bare = new RpcClient(endpoint, keys);
    for (const client of [daemon.rpc, bare]) await pings(client, 16, WARM_UP);
    say(`against process ${server.pid}`);
    return [...(await compare(daemon.rpc, bare, 64, quick)), ...(await compare(daemon.rpc, bare, 1, quick))];
  },
};
