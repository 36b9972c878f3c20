import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Bench, BenchContext, Figure } from './harness/figure.js';

/** What `npm run test:manager -- --bench --json` prints. */
const measured = z.array(
  z.object({
    what: z.string(),
    unit: z.string(),
    ours: z.number(),
    reference: z.number(),
    ratio: z.number(),
    atMost: z.number().nullable(),
  }),
);
const ENDED_OTHERWISE = new Map([[3, 'this machine can not have the Manager (see above)']]);

/** Beside the Python agent, under the same real Manager with the same TOML; a quarter of an hour. */
export const referenceBench: Bench = {
  name: 'reference',
  what: 'the Python agent under the same Manager (only when named: needs Python 3.13; 15 minutes)',

  async run({ quick, signal, say }: BenchContext): Promise<readonly Figure[]> {
    const args = ['--bench', '--json', ...(quick ? ['--quick'] : [])];
    say(`npm run test:manager -- ${args.join(' ')}`);
    const child = spawn('npm', ['run', '--silent', 'test:manager', '--', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      signal,
    });
    const [said, [status]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number | null]>]);
    if (status !== 0) throw new Error(ENDED_OTHERWISE.get(status ?? -1) ?? `it ended with ${String(status)}`);
    return measured.parse(JSON.parse(said)).map(({ what, unit, ours, reference, ratio, atMost }) => ({
      name: what,
      value: ratio,
      unit: '×',
      ...(atMost === null ? {} : { promise: { atMost } }),
      detail: `${ours.toFixed(2)} / ${reference.toFixed(2)} ${unit}`,
    }));
  },
};
