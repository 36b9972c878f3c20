import { setTimeout as sleep } from 'node:timers/promises';
import { testImage } from '../support/images.js';
import { Daemon } from './harness/daemon.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { kernelRequest } from './harness/kernel-request.js';
import { cpuMsOf, rssOf } from './harness/process-usage.js';
import { median, spread } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

const MIB = 1024 ** 2;
/** The engine of JavaScript tidies up for some 20 s after a start: that is not counted as idle. */
const SETTLE_MS = 25_000;
const KERNELS = 5;

async function idle(daemon: Daemon, kernels: number, { quick, signal, say }: BenchContext): Promise<readonly Figure[]> {
  const windowMs = quick ? 4_000 : 20_000;
  say(`idle with ${kernels} kernels`);
  await sleep(SETTLE_MS, undefined, { signal });
  const before = cpuMsOf(daemon.pid);
  await sleep(windowMs, undefined, { signal });
  const percent = (100 * (cpuMsOf(daemon.pid) - before)) / windowMs;
  const detail = `over ${windowMs / 1000} s`;
  return [
    {
      name: `idle agent, ${kernels} kernels: CPU of one core`,
      value: percent,
      unit: '%',
      promise: { atMost: 1 },
      detail,
    },
    {
      name: `idle agent, ${kernels} kernels: RSS`,
      value: rssOf(daemon.pid) / MIB,
      unit: 'MiB',
      promise: { atMost: 150 },
    },
  ];
}

export const idleBench: Bench = {
  name: 'idle',
  what: 'starting the daemon, and what it takes when nothing happens',

  async run(context): Promise<readonly Figure[]> {
    const image = await testImage('python');
    await using workplace = await Workplace.make();
    const starts: number[] = [];
    for (let start = 0; start < (context.quick ? 2 : 7); start += 1) {
      await using daemon = await Daemon.start(workplace);
      starts.push(daemon.readyMs);
    }
    await using daemon = await Daemon.start(workplace);
    const figures: Figure[] = [
      {
        name: 'start to ready, no kernels, p50',
        value: median(starts),
        unit: 'ms',
        promise: { atMost: 1000 },
        detail: spread(starts),
      },
      ...(await idle(daemon, 0, context)),
    ];
    const specs = Array.from({ length: KERNELS }, () => kernelRequest(image));
    try {
      for (const spec of specs) await daemon.create(spec);
      figures.push(...(await idle(daemon, KERNELS, context)));
    } finally {
      for (const spec of specs) await daemon.destroy(spec);
    }
    return figures;
  },
};
