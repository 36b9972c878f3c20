import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerSpec } from '../../src/application/ports/container-engine.port.js';
import { testImage } from '../support/images.js';
import type { Bench, BenchContext, Figure } from './harness/figure.js';
import { freePort } from './harness/free-port.js';
import { kernelRequest } from './harness/kernel-request.js';
import { LocalAgent } from './harness/local-agent.js';
import { median, quantile, spread } from './harness/statistics.js';
import { Workplace } from './harness/workplace.js';

interface RawCreation {
  readonly ms: number;
  /** From the engine's answer to `start` to the runner's first answer. */
  readonly bootMs: number;
}

/** The same container without the agent: engine create, engine start, first answer of the runner, one after the other. */
class RawKernels {
  readonly #names: string[] = [];

  constructor(
    private readonly agent: LocalAgent,
    private readonly scratch: string,
    private readonly signal: AbortSignal,
  ) {}

  async create(spec: ContainerSpec): Promise<RawCreation> {
    const call = { signal: this.signal };
    const { engine, runners } = this.agent.adapters;
    const { container, input, output } = await this.#variant(spec);
    this.#names.push(container.name);
    const began = performance.now();
    const id = await engine.createContainer(container, call);
    await engine.startContainer(id, call);
    const started = performance.now();
    await using runner = await runners.connect({ host: '127.0.0.1', replInPort: input, replOutPort: output });
    await runner.status(call);
    const ended = performance.now();
    return { ms: ended - began, bootMs: ended - started };
  }

  async removeAll(): Promise<void> {
    for (const name of this.#names.splice(0)) {
      await this.agent.adapters.engine.stopContainer(name, 5_000, { signal: this.signal });
      await this.agent.adapters.engine.removeContainer(name, { signal: this.signal });
    }
  }

  /** What can't be there twice is other: name, ports, directories; without labels no agent takes it for its own. */
  async #variant(spec: ContainerSpec): Promise<{ container: ContainerSpec; input: number; output: number }> {
    const ports = await Promise.all(spec.ports.map(async (port) => ({ ...port, hostPort: await freePort() })));
    const mounts = spec.mounts.map((mount) => {
      if (mount.target === '/home/config') return { ...mount, source: join(this.scratch, 'config') };
      return mount.target === '/home/work' ? { ...mount, source: join(this.scratch, 'work') } : mount;
    });
    const hostPort = (inside: number): number => ports.find((port) => port.containerPort === inside)?.hostPort ?? 0;
    const container = { ...spec, name: `bench-${process.pid}-${ports[0]?.hostPort ?? 0}`, labels: {}, ports, mounts };
    return { container, input: hostPort(2000), output: hostPort(2001) };
  }
}

export const creationBench: Bench = {
  name: 'creation',
  what: 'making a kernel, against making the same container without the agent',

  async run({ quick, signal, say }: BenchContext): Promise<readonly Figure[]> {
    const image = await testImage('python');
    await using workplace = await Workplace.make();
    await using agent = await LocalAgent.start(workplace, { jobs: true }, signal);
    const agentMs: number[] = [];
    const ownMs: number[] = [];
    const stages: Readonly<Record<string, number>>[] = [];
    const create = async (): Promise<void> => {
      const spec = kernelRequest(image);
      const { kernel, ms, ownMs: own } = await agent.create(spec, signal);
      agentMs.push(ms);
      ownMs.push(own);
      stages.push(kernel.timingsMs);
      if (agentMs.length === 1)
        await cp(agent.adapters.scratch.paths(spec.kernelId).root, workplace.directory, { recursive: true });
      await agent.destroy(spec);
    };

    say('warming up');
    await create();
    const firstMs = agentMs[0] ?? 0;
    const spec = agent.lastSpec;
    if (!spec) throw new Error('no container was made');
    const raw = new RawKernels(agent, workplace.directory, signal);
    await raw.create(spec);
    await raw.removeAll();
    for (const samples of [agentMs, ownMs, stages]) samples.length = 0;

    const rawRuns: RawCreation[] = [];
    const pairs = quick ? 3 : 16;
    for (let pair = 0; pair < pairs; pair += 1) {
      say(`pair ${pair + 1} of ${pairs}`);
      const bare = async (): Promise<void> => {
        rawRuns.push(await raw.create(spec));
        await raw.removeAll();
      };
      // Neither side always comes first.
      for (const side of pair % 2 === 0 ? [create, bare] : [bare, create]) await side();
    }
    const pairedMs = [...agentMs];
    for (let more = quick ? 0 : 100 - pairs; more > 0; more -= 1) {
      if (more % 20 === 0) say(`${more} more for the agent's own share`);
      await create();
    }

    const rawMs = rawRuns.map(({ ms }) => ms);
    const boots = rawRuns.map(({ bootMs }) => bootMs);
    const stageText = Object.keys(stages[0] ?? {})
      .map((name) => `${name} ${median(stages.map((stage) => stage[name] ?? 0)).toFixed(1)}`)
      .join(', ');
    return [
      {
        name: 'create to started / engine + runner boot alone, p50',
        value: median(pairedMs) / median(rawMs),
        unit: '×',
        promise: { atMost: 1.3 },
        detail: `agent ${spread(pairedMs)}; alone ${spread(rawMs)}`,
      },
      {
        name: 'create to started / engine + runner boot alone, p90',
        value: quantile(pairedMs, 0.9) / quantile(rawMs, 0.9),
        unit: '×',
        detail: `stages p50 ms: ${stageText}`,
      },
      {
        name: "agent's own share of creating, p50",
        value: median(ownMs),
        unit: 'ms',
        promise: { atMost: 30 },
        detail: `n = ${ownMs.length}`,
      },
      {
        name: "agent's own share of creating, p99",
        value: quantile(ownMs, 0.99),
        unit: 'ms',
        promise: { atMost: 100 },
        detail: `largest ${Math.max(...ownMs).toFixed(1)} ms`,
      },
      { name: 'first kernel of an agent', value: firstMs, unit: 'ms', detail: 'runtime put in place meanwhile' },
      {
        name: 'runner boot: start returned to first answer, p50',
        value: median(boots),
        unit: 'ms',
        promise: { atMost: 300 },
        detail: spread(boots),
      },
    ];
  },
};
