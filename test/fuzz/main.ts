import { parseArgs } from 'node:util';
import { messageOf } from '../../src/domain/error/agent-error.js';
import { eventsFuzzer } from './events.fuzz.js';
import type { Fuzzer } from './fuzzer.js';
import { rpcFuzzer } from './rpc.fuzz.js';
import { wireFuzzer } from './wire.fuzz.js';

/** Another one that eats what others send is an entry here. */
const FUZZERS: readonly Fuzzer[] = [rpcFuzzer, wireFuzzer, eventsFuzzer];

const USAGE = `usage: npm run fuzz [-- --only NAME]… [--seed N] [--count M]

Feeds generated and damaged input to what listens to others. Exit status 1 if one breaks: a crash, a hang, an answer
that nobody could read, memory that grows. The same seed and count give the same input.

${FUZZERS.map(({ name, what, fullCount }) => `  ${name.padEnd(8)} ${what} (${fullCount})`).join('\n')}`;

interface Options {
  readonly fuzzers: readonly Fuzzer[];
  readonly seed: number;
  readonly count: number | undefined;
}

/** `undefined` = wrong usage. */
function readOptions(argv: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', multiple: true, default: [] },
        seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
        count: { type: 'string' },
      },
    });
    const seed = Number(values.seed);
    const count = values.count === undefined ? undefined : Number(values.count);
    const known = values.only.every((name) => FUZZERS.some((fuzzer) => fuzzer.name === name));
    if (!known || !Number.isSafeInteger(seed) || (count !== undefined && !(Number.isSafeInteger(count) && count > 0))) {
      return undefined;
    }
    return {
      fuzzers: FUZZERS.filter(({ name }) => values.only.length === 0 || values.only.includes(name)),
      seed,
      count,
    };
  } catch {
    return undefined;
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main({ fuzzers, seed, count }: Options): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort(new Error('interrupted')));
  let status = 0;
  for (const fuzzer of fuzzers) {
    const inputs = count ?? fuzzer.fullCount;
    const progress = (text: string): void => void process.stderr.write(`${fuzzer.name}: ${text}\n`);
    say(`${fuzzer.name}: again with --only ${fuzzer.name} --seed ${seed} --count ${inputs}`);
    try {
      const figures = await fuzzer.run({ seed, count: inputs, signal: stop.signal, say: progress });
      const told = Object.entries(figures).map(([name, figure]) => `${name} ${figure}`);
      say(`${fuzzer.name}: passed; ${told.join(', ')}`);
    } catch (error) {
      status = 1;
      say(`${fuzzer.name}: FAILED with seed ${seed}: ${messageOf(error)}`);
    }
  }
  return status;
}

const options = readOptions(process.argv.slice(2));
if (options) {
  process.exitCode = await main(options);
} else {
  process.stderr.write(`${USAGE}\n`);
  process.exitCode = 2;
}
