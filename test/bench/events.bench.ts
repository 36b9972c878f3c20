import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { AgentEvent } from '../../src/domain/event/agent-event.js';
import { parseKernelId, parseSessionId } from '../../src/domain/kernel/kernel-id.js';
import { type EventSender, openSender } from '../support/event-sender.js';
import { MANAGER_PYTHON, managerPythonMissing } from '../support/manager-python.js';
import { startRedisHost } from '../support/redis-host.js';
import { sleep } from '../support/sleep.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { PythonProcess } from './harness/python-process.js';
import { ReaderThread } from './harness/reader-thread.js';
import { median, quantile } from './harness/statistics.js';

const PRODUCER = fileURLToPath(new URL('python/event_producer.py', import.meta.url));
const BLOCKS = 7;
/** Blocks of each before that, until both are compiled: an agent runs for weeks. */
const WARM_UP = 5;
/** Like a worker of a Manager that has nothing else to do. */
const READER = { batch: 64, pauseMs: 0 };
const LOADS = [
  { name: 'announce, 1 at a time', inFlight: 1, total: 1_000 },
  { name: 'announce, 64 at a time', inFlight: 64, total: 3_200 },
];

/** What one load took. */
interface Block {
  readonly seconds: number;
  /** Of each event, in milliseconds. */
  readonly times: readonly number[];
}

const preparing = (): AgentEvent => ({
  name: 'kernel_preparing',
  body: { kernel_id: parseKernelId(randomUUID()), session_id: parseSessionId(randomUUID()), reason: '' },
});

async function announceAll({ bus }: EventSender, total: number, inFlight: number): Promise<Block> {
  const times: number[] = [];
  const lane = async (): Promise<void> => {
    for (let n = 0; n < total / inFlight; n += 1) {
      const began = performance.now();
      await bus.announce(preparing());
      times.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { seconds: (performance.now() - began) / 1_000, times };
}

function compared(name: string, total: number, mine: readonly Block[], theirs: readonly Block[]): Figure[] {
  const rate = (blocks: readonly Block[]): number => median(blocks.map(({ seconds }) => total / seconds));
  const p99 = (blocks: readonly Block[]): number =>
    quantile(
      blocks.flatMap(({ times }) => [...times]),
      0.99,
    );
  return [
    {
      name: `${name}: rate / reference library`,
      value: rate(mine) / rate(theirs),
      unit: '×',
      promise: { atLeast: 2 },
      detail: `${rate(mine).toFixed(0)} / ${rate(theirs).toFixed(0)} a second`,
    },
    {
      name: `${name}: p99 / reference library`,
      value: p99(mine) / p99(theirs),
      unit: '×',
      promise: { atMost: 1 },
      detail: `${p99(mine).toFixed(2)} / ${p99(theirs).toFixed(2)} ms`,
    },
  ];
}

/**
 * A kernel's event, stream and channel both. Ours is taken when it is in the outbox's file, theirs when Redis has it; ours
 * is then brought to a reader like a Manager's, and the last figure is the rate of that.
 */
export const eventsBench: Bench = {
  name: 'events',
  what: 'announcing events, against the reference library (needs Python 3.13: npm run test:manager)',

  async run({ quick, say }: BenchContext): Promise<readonly Figure[]> {
    const missing = await managerPythonMissing();
    if (missing !== undefined) throw new Error(missing);
    await using server = await startRedisHost();
    const { host, port } = server.address;
    await using reader = new ReaderThread({ host, port, ...READER });
    await using ours = await openSender(server);
    await using theirs = await PythonProcess.start(MANAGER_PYTHON, ['-I', PRODUCER, host, String(port)]);
    const delivered: number[] = [];
    const figures: Figure[] = [];
    for (const { name, inFlight, total } of LOADS) {
      const [mine, bare]: [Block[], Block[]] = [[], []];
      const [warmUp, blocks] = quick ? [1, 1] : [WARM_UP, BLOCKS];
      for (let block = 1 - warmUp; block <= blocks; block += 1) {
        say(`${name}, ${block > 0 ? `block ${block} of ${blocks}` : 'warm-up'}`);
        bare.push((await theirs.ask(`${total} ${inFlight}`)) as Block);
        const began = performance.now();
        mine.push(await announceAll(ours, total, inFlight));
        while (ours.outbox.waiting().length > 0) await sleep(1);
        delivered.push((1_000 * total) / (performance.now() - began));
      }
      figures.push(...compared(name, total, mine.slice(warmUp), bare.slice(warmUp)));
    }
    return [
      ...figures,
      {
        name: 'brought to a Manager and confirmed',
        value: median(delivered.slice(-BLOCKS)),
        unit: 'events/s',
        detail: `${await reader.count('kernel_preparing')} events read`,
      },
    ];
  },
};
