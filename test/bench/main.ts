import { parseArgs } from 'node:util';
import { messageOf } from '../../src/domain/error/agent-error.js';
import { creationBench } from './creation.bench.js';
import { eventsBench } from './events.bench.js';
import { executionBench } from './execution.bench.js';
import { type Bench, isKept } from './harness/figure.js';
import { describeMachine, load, untilQuiet } from './harness/machine.js';
import { type BenchReport, reportText } from './harness/report.js';
import { idleBench } from './idle.bench.js';
import { pingBench } from './ping.bench.js';
import { referenceBench } from './reference.bench.js';
import { stateBench } from './state.bench.js';
import { tenKernelsBench } from './ten-kernels.bench.js';

const BENCHES: readonly Bench[] = [
  idleBench,
  creationBench,
  executionBench,
  tenKernelsBench,
  pingBench,
  eventsBench,
  stateBench,
];
/** Too long, and in need of too much, to be run with the others. */
const WHEN_NAMED: readonly Bench[] = [referenceBench];
const ALL = [...BENCHES, ...WHEN_NAMED];
const USAGE = `usage: npm run bench [-- --json] [--quick] [--only NAME]… [--wait-for-load L]

Measures what SPECIFICATION.md promises, each as a ratio within this run where it can be. Exit status 1 if a promise
is not kept or a bench breaks, 2 for wrong usage.

${ALL.map(({ name, what }) => `  ${name.padEnd(12)} ${what}`).join('\n')}

  --wait-for-load L   before each bench, wait (10 minutes at most) until the load average is below L`;
const WAIT_MINUTES = 10;

interface Options {
  readonly json: boolean;
  readonly quick: boolean;
  readonly benches: readonly Bench[];
  readonly quietBelow: number | undefined;
}

/** `undefined` = wrong usage. */
function readOptions(argv: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        'wait-for-load': { type: 'string' },
      },
    });
    const { only, json, quick } = values;
    if (only.some((name) => !ALL.some((bench) => bench.name === name))) return undefined;
    const benches = only.length === 0 ? BENCHES : ALL.filter(({ name }) => only.includes(name));
    const quietBelow = values['wait-for-load'] === undefined ? undefined : Number(values['wait-for-load']);
    return { json, quick, benches, quietBelow };
  } catch {
    return undefined;
  }
}

async function runBench(bench: Bench, options: Options, signal: AbortSignal): Promise<BenchReport> {
  const say = (text: string): void => void process.stderr.write(`${bench.name}: ${text}\n`);
  if (options.quietBelow !== undefined) await untilQuiet(options.quietBelow, WAIT_MINUTES, signal);
  const report = { bench: bench.name, load: load() };
  try {
    return { ...report, figures: await bench.run({ quick: options.quick, signal, say }) };
  } catch (error) {
    return { ...report, figures: [], error: messageOf(error) };
  }
}

async function main(options: Options): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new Error('interrupted')));
  const machine = await describeMachine(stop.signal);
  const reports: BenchReport[] = [];
  for (const bench of options.benches) {
    if (stop.signal.aborted) break;
    reports.push(await runBench(bench, options, stop.signal));
  }
  const { quick } = options;
  console.log(options.json ? JSON.stringify({ machine, quick, reports }, null, 2) : reportText(machine, reports));
  const failed = reports.some(({ error, figures }) => error !== undefined || figures.some((f) => isKept(f) === false));
  return failed ? 1 : 0;
}

const options = readOptions(process.argv.slice(2));
if (options) {
  process.exitCode = await main(options);
} else {
  console.error(USAGE);
  process.exitCode = 2;
}
