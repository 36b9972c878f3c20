import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SampleUsage } from '../../src/application/statistics/sample-usage.use-case.js';
import { testImage } from '../support/images.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { kernelRequest } from './harness/kernel-request.js';
import { LocalAgent } from './harness/local-agent.js';
import { OfficialRunners } from './harness/official-runners.js';
import { childOf, pssOf } from './harness/process-usage.js';
import { median, spread, sum } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

const run = promisify(execFile);
const KERNELS = 10;
const MIB = 1024 ** 2;
const SETTLE_MS = 3_000;
const CYCLES = 300;

/** PSS of what each container's init has started, the runner, in MiB; the mean over all. */
const runnerMemory = (initPids: readonly number[]): number =>
  sum(initPids.map((pid) => pssOf(childOf(pid)))) / initPids.length / MIB;

async function initPid(agent: LocalAgent, containerId: string, signal: AbortSignal): Promise<number> {
  const details = await agent.adapters.engine.inspectContainer(containerId, { signal });
  if (!details) throw new Error(`container ${containerId} is gone`);
  return details.pid;
}

/** From the start of the container's first process, as the engine noted it, to the runner's line that it serves. */
async function bootOf(containerId: string): Promise<number> {
  const { stdout: startedAt } = await run('docker', ['inspect', '--format', '{{.State.StartedAt}}', containerId]);
  const { stdout: log } = await run('docker', ['logs', '--timestamps', containerId]);
  const served = log.split('\n').find((line) => line.includes('serving '));
  return Date.parse(served?.split(' ', 1)[0] ?? '') - Date.parse(startedAt.trim());
}

/** CPU of one pass of the sampler, for each container, in microseconds. */
async function samplingCost(agent: LocalAgent): Promise<Figure[]> {
  const sampler = agent.container.get(SampleUsage);
  for (let cycle = 0; cycle < CYCLES; cycle += 1) await sampler.kernels();
  const callsBefore = agent.engineCalls;
  const before = process.cpuUsage();
  for (let cycle = 0; cycle < CYCLES; cycle += 1) await sampler.kernels();
  const { user, system } = process.cpuUsage(before);
  return [
    {
      name: 'sampling: CPU a container and cycle',
      value: (user + system) / CYCLES / KERNELS,
      unit: 'µs',
      detail: `${CYCLES} cycles of ${KERNELS} containers`,
    },
    {
      name: 'sampling: engine calls',
      value: agent.engineCalls - callsBefore,
      unit: '',
      promise: { atMost: 0 },
    },
  ];
}

/** The official runner in as many containers of the same image, if its packages can be had. */
async function officialMemory({ say, signal }: BenchContext): Promise<number | undefined> {
  try {
    say('the official runner');
    await using official = await OfficialRunners.start(await testImage('jupyter'), KERNELS, signal);
    await sleep(SETTLE_MS, undefined, { signal });
    return runnerMemory(official.initPids);
  } catch (error) {
    say(`the official runner can't be measured: ${String(error)}`);
    return undefined;
  }
}

export const tenKernelsBench: Bench = {
  name: 'ten-kernels',
  what: 'memory of the runner and cost of sampling, over ten idle kernels',

  async run(context): Promise<readonly Figure[]> {
    const { signal, say } = context;
    const image = await testImage('jupyter');
    await using workplace = await Workplace.make();
    const figures: Figure[] = [];
    let ours: number;
    {
      await using agent = await LocalAgent.start(workplace, { jobs: false }, signal);
      say(`making ${KERNELS} kernels`);
      const boots: number[] = [];
      const pids: number[] = [];
      for (let made = 0; made < KERNELS; made += 1) {
        const { kernel } = await agent.create(kernelRequest(image), signal);
        boots.push(await bootOf(kernel.containerId));
        pids.push(await initPid(agent, kernel.containerId, signal));
      }
      await sleep(SETTLE_MS, undefined, { signal });
      ours = runnerMemory(pids);
      figures.push(
        { name: 'runner process start to serving, p50', value: median(boots), unit: 'ms', detail: spread(boots) },
        ...(await samplingCost(agent)),
      );
      say('destroying them');
    }
    const theirs = await officialMemory(context);
    figures.push({
      name: 'runner memory, PSS over ten idle kernels',
      value: ours,
      unit: 'MiB',
      promise: { atMost: theirs ?? DOCUMENTED_MIB },
      detail: theirs === undefined ? 'official runner: 30–40 MiB (krunner.md)' : 'promise: the official runner now',
    });
    return figures;
  },
};

/** Upper end of what krunner.md has for the official runner. */
const DOCUMENTED_MIB = 40;
