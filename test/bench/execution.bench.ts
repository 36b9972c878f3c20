import { fileURLToPath } from 'node:url';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { testImage } from '../support/images.js';
import { Daemon } from './harness/daemon.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { kernelRequest } from './harness/kernel-request.js';
import { PythonProcess } from './harness/python-process.js';
import { median, quantile, spread } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

const CLIENT = fileURLToPath(new URL('python/jupyter_client_loop.py', import.meta.url));
const API_VERSION = 5;
const FLUSH_SECONDS = 2;
const WARM_UP = 30;
const PER_BLOCK = 30;

async function measure(curve: boolean, { quick, say }: BenchContext): Promise<readonly Figure[]> {
  const spec = { ...kernelRequest(await testImage('jupyter')), resourceSlots: { cpu: '1', mem: '1g' } };
  await using workplace = await Workplace.make({ curve });
  await using daemon = await Daemon.start(workplace);
  const { containerId } = await daemon.create(spec);
  try {
    let serial = 0;
    const runOnce = async (): Promise<number> => {
      const began = performance.now();
      const runId = `run-${serial++}`;
      let mode = 'query';
      for (;;) {
        const args = [spec.sessionId, spec.kernelId, API_VERSION, runId, mode, '1+1', {}, FLUSH_SECONDS];
        const { status, exitCode } = (await daemon.rpc.call('execute', args)) as Readonly<Record<string, unknown>>;
        if (status === 'finished' && exitCode === 0) return performance.now() - began;
        if (status !== 'continued') throw new Error(`1+1 ended as ${String(status)} with ${String(exitCode)}`);
        mode = 'continue';
      }
    };
    const through = async (runs: number): Promise<number[]> => {
      const times: number[] = [];
      for (let run = 0; run < runs; run += 1) times.push(await runOnce());
      return times;
    };
    say(`starting both kernels, ${curve ? 'CURVE' : 'plain'}`);
    await cp(CLIENT, join(workplace.directory, 'scratches', spec.kernelId, 'work', 'client.py'));
    const inside = ['exec', '-i', '--user', '9001:9001', '--env', 'HOME=/home/work', containerId];
    await using bare = await PythonProcess.start('docker', [...inside, 'python3', '/home/work/client.py']);
    await through(WARM_UP);
    await bare.ask(String(WARM_UP));
    const [rpcMs, bareMs]: [number[], number[]] = [[], []];
    const blocks = quick ? 2 : 12;
    for (let block = 0; block < blocks; block += 1) {
      say(`block ${block + 1} of ${blocks}`);
      rpcMs.push(...(await through(PER_BLOCK)));
      bareMs.push(...((await bare.ask(String(PER_BLOCK))) as number[]));
    }
    const wire = curve ? 'CURVE' : 'plain';
    return [
      {
        name: `1+1 through RPC (${wire}) / bare Jupyter client, p50`,
        value: median(rpcMs) / median(bareMs),
        unit: '×',
        promise: { atMost: 1.5 },
        detail: `RPC ${spread(rpcMs, 0.99)}; bare ${spread(bareMs, 0.99)}`,
      },
      {
        name: `1+1 through RPC (${wire}) / bare Jupyter client, p90`,
        value: quantile(rpcMs, 0.9) / quantile(bareMs, 0.9),
        unit: '×',
      },
    ];
  } finally {
    await daemon.destroy(spec);
  }
}

export const executionBench: Bench = {
  name: 'execution',
  what: 'code in a warm kernel, against a bare Jupyter client in the same container',
  run: async (context) => [...(await measure(false, context)), ...(await measure(true, context))],
};
