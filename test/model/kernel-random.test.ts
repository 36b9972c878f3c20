import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import { CORES, type FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../support/fake-agent.js';
import { kernelSpec } from '../support/kernel-records.js';
import { settle } from '../support/manual-clock.js';

const KERNELS = 5;

const kernel = fc.integer({ min: 1, max: KERNELS });
const ofKernel = <T extends string>(name: T) => fc.record({ do: fc.constant(name), kernel });
const alone = <T extends string>(name: T) => fc.record({ do: fc.constant(name) });
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('create' as const),
      kernel,
      cores: fc.integer({ min: 1, max: 5 }),
      services: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 4, arbitrary: ofKernel('destroy') },
  { weight: 2, arbitrary: ofKernel('restart') },
  { weight: 2, arbitrary: ofKernel('execute') },
  { weight: 2, arbitrary: ofKernel('exit') },
  { weight: 1, arbitrary: ofKernel('oom') },
  { weight: 2, arbitrary: ofKernel('cancel') },
  { weight: 1, arbitrary: alone('engine stops') },
  { weight: 1, arbitrary: alone('engine is away') },
  { weight: 2, arbitrary: alone('engine starts') },
  { weight: 1, arbitrary: alone('an event is lost') },
  { weight: 1, arbitrary: alone('agent killed') },
  { weight: 2, arbitrary: alone('reconcile') },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3_000 }) }) },
);
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** Commands are begun, not waited for: what comes next finds things half done. */
class World {
  /** Settles with what was begun, however it ends. */
  #begun: Promise<unknown> = Promise.resolve();
  readonly #callers = new Map<KernelId, AbortController>();
  #isEngineUp = true;

  private constructor(
    private readonly machine: FakeMachine,
    private agent: FakeAgent,
  ) {}

  static async make(): Promise<World> {
    const machine = new FakeMachine();
    const world = new World(machine, await machine.boot());
    machine.engine.fail('*', { with: 'slow', ms: 40, times: Number.POSITIVE_INFINITY });
    return world;
  }

  async apply(step: Command): Promise<void> {
    const { machine, agent } = this;
    const id = 'kernel' in step ? kernelIdOf(step.kernel) : kernelIdOf(0);
    switch (step.do) {
      case 'create':
        this.#create(id, step.cores, step.services);
        return;
      case 'destroy':
        this.#begin(agent.destroy(id));
        return;
      case 'restart':
        this.#begin(agent.restart(id));
        return;
      case 'execute': {
        const run = { kernelId: id, runId: null, mode: 'query', code: '', flushTimeoutMs: 50 } as const;
        this.#begin(agent.useCases.execute(run, new AbortController().signal));
        return;
      }
      case 'exit':
      case 'oom': {
        const container = machine.engine.containers().find(({ name }) => name.endsWith(id));
        if (container) machine.engine.exit(container.id, 1, { oom: step.do === 'oom' });
        return;
      }
      case 'cancel':
        this.#callers.get(id)?.abort(new Error('its caller gave up'));
        return;
      case 'engine stops':
      case 'engine is away':
        this.#isEngineUp = false;
        machine.engine.stop({ keepContainers: step.do === 'engine is away' });
        return;
      case 'engine starts':
        this.#isEngineUp = true;
        machine.engine.start();
        return;
      case 'an event is lost':
        machine.engine.loseEvents();
        return;
      case 'agent killed':
        agent.kill();
        // Its calls are never answered.
        this.#begun = Promise.resolve();
        return this.boot();
      case 'reconcile':
        await outcomeOf(agent.reconcile());
        return;
      case 'wait':
        await machine.clock.advance(step.ms);
    }
  }

  /** An agent does not start without an engine. */
  async boot(): Promise<void> {
    if (!this.#isEngineUp) await this.apply({ do: 'engine starts' });
    this.agent = await this.machine.boot();
  }

  #create(id: KernelId, cores: number, services: number): void {
    const caller = new AbortController();
    this.#callers.set(id, caller);
    const preopenPorts = Array.from({ length: services }, (_, index) => 8080 + index);
    const spec = kernelSpec({ kernelId: id, preopenPorts, resourceSlots: { cpu: String(cores), mem: '64m' } });
    this.#begin(this.agent.create(spec, caller.signal));
  }

  #begin(work: Promise<unknown>): void {
    this.#begun = Promise.all([this.#begun, outcomeOf(work)]);
  }

  check(): void {
    expect(this.agent.disagreements()).toEqual([]);
    const { slots, ports } = this.agent.useCases.status();
    for (const amount of Object.values(slots.available)) expect(Number(amount)).toBeGreaterThanOrEqual(0);
    expect(ports.used).toBeGreaterThanOrEqual(0);
  }

  /** Everything heals; then what lives is what is told to live, and all of it can be ended. */
  async end(): Promise<void> {
    const { machine } = this;
    machine.engine.heal();
    machine.engine.start();
    await machine.finish(this.#begun);
    await machine.clock.advance(300_000);
    for (let pass = 0; pass < 3; pass += 1) await this.agent.reconcile();
    this.check();
    const living = this.agent.useCases.listKernels();
    expect(living.map(({ state }) => state)).toEqual(living.map(() => 'RUNNING'));
    expect(machine.engine.leftovers().containers).toHaveLength(living.length);
    for (const { kernelId } of living) expect(this.#story(kernelId)).toMatch(/^(announced ended )*announced $/);
    await machine.finish(Promise.all(living.map(({ kernelId }) => this.agent.destroy(kernelId))));
    expect(await machine.leftovers()).toEqual([]);
    expect(this.agent.useCases.status()).toMatchObject({
      slots: { occupied: { cpu: '0', mem: '0' } },
      ports: { used: 0 },
    });
    for (let number = 1; number <= KERNELS; number += 1) {
      expect(this.#story(kernelIdOf(number))).toMatch(/^(announced ended )*$/);
    }
  }

  /** What was told of the kernels of one id, from first to last. */
  #story(id: KernelId): string {
    const words = { kernel_preparing: 'announced ', kernel_terminated: 'ended ' } as const;
    return this.machine.told
      .filter(({ body }) => 'kernel_id' in body && body.kernel_id === id)
      .filter(({ body }) => !('reason' in body && body.reason === 'already-terminated'))
      .map(({ name }) => (name in words ? words[name as keyof typeof words] : ''))
      .join('');
  }
}

describe('kernels under any sequence of calls, failures and deaths', () => {
  it('never disagree with the books and leave nothing', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), async (commands) => {
        const world = await World.make();
        for (const step of commands) {
          await world.apply(step);
          await settle();
          world.check();
        }
        await world.end();
      }),
      { numRuns: 800 },
    );
  });

  it('leave exact books after 50 creations and destructions at once', async () => {
    const machine = new FakeMachine();
    machine.engine.fail('*', { with: 'slow', ms: 15, times: Number.POSITIVE_INFINITY });
    const agent = await machine.boot();
    const ids = Array.from({ length: 50 }, (_, index) => kernelIdOf(index + 1));
    const creations = ids.map((kernelId, index) =>
      outcomeOf(agent.create(kernelSpec({ kernelId, preopenPorts: index % 3 === 0 ? [8080] : [] }))),
    );
    const early = ids
      .filter((_, index) => index % 4 === 0)
      .map((id, index) => machine.clock.sleep(7 * index).then(() => agent.destroy(id)));
    const state = { isOver: false };
    const watched = (async () => {
      while (!state.isOver) {
        expect(agent.disagreements()).toEqual([]);
        await machine.clock.sleep(5);
      }
    })();
    const outcomes = await machine.finish(Promise.all(creations));
    await machine.finish(Promise.all(early));
    state.isOver = true;
    await machine.finish(watched);
    expect(outcomes.filter((outcome) => outcome === 'done').length).toBeGreaterThanOrEqual(8);
    const refusals = new Set(outcomes.flatMap((outcome) => (outcome === 'done' ? [] : [outcome.name])));
    expect([...refusals].sort()).toEqual(['ContainerStartupCancelledError', 'InsufficientResource']);
    expect(Number(agent.useCases.status().slots.available['cpu'])).toBeLessThan(CORES);
    await machine.finish(Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId))));
    expect(await machine.leftovers()).toEqual([]);
    expect(agent.useCases.status().slots.available).toEqual(agent.useCases.status().slots.total);
    for (const id of ids) {
      // A destruction that came after its kernel had been refused says so.
      const ends = machine.terminations(id).filter(({ reason }) => reason !== 'already-terminated');
      expect(ends).toHaveLength(1);
    }
  });
});
