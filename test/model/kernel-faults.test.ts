import { describe, expect, it } from 'vitest';
import { canHappen, failCall, FAULTS, type FaultName } from '../support/boundary-faults.js';
import { FakeAgent, FakeMachine, outcomeOf } from '../support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../support/kernel-records.js';
import type { Crossing } from '../support/process-boundary.js';

const SPEC = kernelSpec({
  image: { canonical: 'example/r:1', isLocal: false, autoPull: 'digest' },
  preopenPorts: [8080],
});
/** Later than anything that a stuck engine may still do. */
const LATER_MS = 200_000;

/** A use case under test: what must be there before it, and the call itself. */
interface Trial {
  prepare(machine: FakeMachine, agent: FakeAgent): Promise<void>;
  act(agent: FakeAgent, signal: AbortSignal): Promise<unknown>;
  /** An agent that fails here is one that could not start: somebody starts it again. */
  readonly isStart?: boolean;
  /** Nobody wants to be told of the end. */
  readonly isSilent?: boolean;
}

async function started(machine: FakeMachine, agent: FakeAgent): Promise<void> {
  await machine.finish(agent.create(SPEC));
}

const TRIALS: Readonly<Record<string, Trial>> = {
  create: { prepare: () => Promise.resolve(), act: (agent, signal) => agent.create(SPEC, signal) },
  destroy: { prepare: started, act: (agent) => agent.destroy(KERNEL_ID) },
  'destroy without a word': { prepare: started, act: (agent) => agent.destroy(KERNEL_ID, true), isSilent: true },
  restart: { prepare: started, act: (agent, signal) => agent.restart(KERNEL_ID, signal) },
  'the start of an agent that finds a running kernel': {
    prepare: async (machine, agent) => {
      await started(machine, agent);
      agent.kill();
    },
    act: (agent) => agent.recover(),
    isStart: true,
  },
  'the start of an agent that finds a kernel half made': {
    prepare: async (machine, agent) => {
      agent.boundary.meddle = ({ name }, effect) => {
        if (name === 'engine.startContainer') agent.kill();
        return effect();
      };
      void agent.create(SPEC);
      await machine.clock.advance(10);
    },
    act: (agent) => agent.recover(),
    isStart: true,
  },
  'a pass that finds a dead container': {
    prepare: async (machine, agent) => {
      await started(machine, agent);
      machine.engine.loseEvents();
      machine.engine.exit(machine.engine.containers()[0]!.id, 1);
    },
    act: (agent) => agent.reconcile(),
  },
};

async function scene(trial: Trial) {
  const machine = new FakeMachine();
  machine.engine.registry.add('example/r:1');
  let agent = await machine.boot();
  await trial.prepare(machine, agent);
  // Whatever killed the first agent in the preparation: the act is the next one's.
  if (!agent.boundary.isAlive) agent = await FakeAgent.make(machine);
  const caller = new AbortController();
  return { machine, agent, caller, cancel: () => caller.abort(new Error('cancelled by its caller')) };
}

/** The calls to the machine that a trial makes when all goes well. */
async function callsOf(trial: Trial): Promise<readonly Crossing[]> {
  const { machine, agent, caller } = await scene(trial);
  const before = agent.boundary.crossings.length;
  await machine.finish(trial.act(agent, caller.signal));
  return agent.boundary.crossings.slice(before);
}

/** Lets one call go wrong, then heals everything, and says what is not as it must be. */
async function problemsAfter(trial: Trial, number: number, fault: FaultName): Promise<string[]> {
  const { machine, agent: first, caller, cancel } = await scene(trial);
  failCall({ machine, agent: first, cancel }, number, fault);
  const isKilled = fault.startsWith('agent killed');
  const acting = outcomeOf(trial.act(first, caller.signal));
  const outcome = isKilled ? 'killed' : await machine.finish(acting);
  const neverStarted = trial.isStart === true && outcome instanceof Error;
  // While things are still broken: what a container uses is given to nobody else.
  const problems = isKilled || neverStarted ? [] : [...first.disagreements()];
  await machine.clock.advance(LATER_MS);
  first.boundary.meddle = undefined;
  machine.engine.start();
  if (neverStarted) first.kill();
  const agent = first.boundary.isAlive ? first : await machine.boot();
  for (let pass = 0; pass < 3; pass += 1) await agent.reconcile();

  problems.push(...agent.disagreements());
  if (fault === 'slow' && outcome !== 'done') problems.push(`failed because it was slow: ${outcome}`);
  const survivor = agent.useCases.listKernels()[0];
  if (survivor) {
    if (survivor.state !== 'RUNNING') problems.push(`is ${survivor.state}`);
    if (machine.terminations(KERNEL_ID).length > 0) problems.push('lives, and was told to have ended');
    const run = { kernelId: KERNEL_ID, runId: null, mode: 'query', code: '', flushTimeoutMs: 1 } as const;
    const answer = await machine.finish(outcomeOf(agent.useCases.execute(run, new AbortController().signal)));
    if (answer !== 'done') problems.push(`takes no code: ${answer.message}`);
    await machine.finish(agent.destroy(KERNEL_ID));
  }
  problems.push(...(await machine.leftovers()));
  const wasAnnounced = machine.eventsOf(KERNEL_ID).includes('kernel_preparing');
  const told = machine.terminations(KERNEL_ID).length;
  // A kernel that survived its silent end was ended aloud above.
  const isSilent = trial.isSilent === true && survivor === undefined;
  const allowed = isSilent ? [0] : [1, ...(wasAnnounced ? [] : [0])];
  if (!allowed.includes(told)) problems.push(`${told} terminal events`);
  return problems;
}

describe.each(Object.entries(TRIALS))('%s', (_, trial) => {
  it.each(Object.keys(FAULTS) as FaultName[])(
    'leaves nothing and tells one end or none: %s, at every call',
    async (fault) => {
      const calls = await callsOf(trial);
      expect(calls.length).toBeGreaterThan(2);
      const problems: string[] = [];
      for (const [index, call] of calls.entries()) {
        if (!canHappen(fault, call)) continue;
        const found = await problemsAfter(trial, index + 1, fault).catch((error: unknown) => [String(error)]);
        problems.push(...found.map((problem) => `${index + 1} ${call.name}: ${problem}`));
      }
      expect(problems).toEqual([]);
    },
  );
});
