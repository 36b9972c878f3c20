import { describe, expect, it } from 'vitest';
import type { CommitRequest } from '../../src/application/use-cases.js';
import { kernelNotFound } from '../../src/domain/error/errors.js';
import { canHappen, failCall, FAULTS, type FaultName } from '../support/boundary-faults.js';
import { type FakeAgent, FakeMachine, outcomeOf } from '../support/fake-agent.js';
import { KERNEL_ID } from '../support/kernel-records.js';
import type { Crossing } from '../support/process-boundary.js';

const TARGET = 'r.example.com/u/custom:1';
const BASE = 'python:3.11';
/** Later than anything that a stuck engine may still do. */
const LATER_MS = 200_000;
const ENDS = ['bgtask_done', 'bgtask_failed', 'bgtask_cancelled'];

const WISH: CommitRequest = {
  ...{ kernelId: KERNEL_ID, subfolder: 'u', canonical: TARGET, filename: null, labels: { a: 'b' } },
};
const TRIALS: Readonly<Record<string, CommitRequest>> = {
  'to an image': WISH,
  'to a file': { ...WISH, canonical: BASE, filename: 'a.tar.gz' },
};

/** The commit and its end; a task that was cancelled or failed is an end too. */
async function commit(machine: FakeMachine, agent: FakeAgent, wish: CommitRequest): Promise<void> {
  await agent.useCases.images.commit(wish);
  while (agent.boundary.isAlive && endsOf(machine).length === 0) await machine.clock.sleep(1_000);
}

function endsOf(machine: FakeMachine): readonly string[] {
  return machine.told.map(({ name }) => name).filter((name) => ENDS.includes(name));
}

/** Of a kernel that is gone it is an error to ask. */
function isOngoing({ useCases }: FakeAgent): boolean {
  try {
    return useCases.images.commitStatus(KERNEL_ID, 'u') === 'ongoing';
  } catch (error) {
    if (error instanceof Error && error.name === kernelNotFound('').name) return false;
    throw error;
  }
}

async function scene() {
  const machine = new FakeMachine();
  const agent = await machine.boot();
  await machine.finish(agent.create());
  return { machine, agent };
}

async function callsOf(wish: CommitRequest): Promise<readonly Crossing[]> {
  const { machine, agent } = await scene();
  const before = agent.boundary.crossings.length;
  await machine.finish(commit(machine, agent, wish));
  return agent.boundary.crossings.slice(before);
}

async function problemsAfter(wish: CommitRequest, number: number, fault: FaultName): Promise<string[]> {
  const { machine, agent: first } = await scene();
  failCall({ machine, agent: first, cancel: () => void first.stopTasks() }, number, fault);
  const committing = outcomeOf(commit(machine, first, wish));
  await machine.clock.advance(LATER_MS);
  first.boundary.meddle = undefined;
  machine.engine.start();
  if (first.boundary.isAlive) await machine.finish(committing);
  // A note that could not be removed is the next agent's to find.
  if (machine.tasks.records.size > 0) first.kill();
  const agent = first.boundary.isAlive ? first : await machine.boot();
  await agent.sweepCommits();
  for (let pass = 0; pass < 3; pass += 1) await agent.reconcile();

  const problems: string[] = [...agent.disagreements()];
  const names = machine.engine.images.all().flatMap(({ tags }) => (tags.length > 0 ? tags : ['an image of no name']));
  const isMade = wish.filename === null ? names.includes(TARGET) : machine.commits.files.has('u/a.tar.gz');
  problems.push(...names.filter((name) => name !== BASE && !(name === TARGET && wish.filename === null)));
  if (!names.includes(BASE)) problems.push(`${BASE} has lost its name`);
  problems.push(...[...machine.commits.unfinished].map((file) => `half of ${file}`));
  problems.push(...[...machine.tasks.records.values()].map(({ name }) => `the note of a ${name}`));
  if (isOngoing(agent)) problems.push('still being committed');

  const ends = endsOf(machine);
  const isRepeated = ends.length === 2 && ends[0] === ends[1] && !first.boundary.isAlive;
  const isUnheard = fault === 'agent killed before' && ends.length === 0;
  if (ends.length !== 1 && !isRepeated && !isUnheard) problems.push(`told ${ends.join(', ') || 'nothing'}`);
  if (ends.includes('bgtask_done') && !isMade) problems.push('told to be done, and is not');
  if (agent.useCases.listKernels().length > 0) await machine.finish(agent.destroy(KERNEL_ID));
  problems.push(...(await machine.leftovers()));
  return problems;
}

describe.each(Object.entries(TRIALS))('a commit %s', (_, wish) => {
  it.each(Object.keys(FAULTS) as FaultName[])('leaves nothing and tells one end: %s, at every call', async (fault) => {
    const calls = await callsOf(wish);
    expect(calls.map(({ name }) => name)).toContain('engine.commitContainer');
    const problems: string[] = [];
    for (const [index, call] of calls.entries()) {
      if (!canHappen(fault, call)) continue;
      const found = await problemsAfter(wish, index + 1, fault).catch((error: unknown) => [String(error)]);
      problems.push(...found.map((problem) => `${index + 1} ${call.name}: ${problem}`));
    }
    expect(problems).toEqual([]);
  });
});
