import { beforeEach, describe, expect, it } from 'vitest';
import { parseSessionId } from '../../src/domain/kernel/kernel-id.js';
import { FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../support/kernel-records.js';
import { settle } from '../support/manual-clock.js';

const PULLED = kernelSpec({ image: { canonical: 'example/r:1', isLocal: false, autoPull: 'digest' } });

let machine: FakeMachine;
let agent: FakeAgent;

beforeEach(async () => {
  machine = new FakeMachine();
  machine.engine.registry.add('example/r:1');
  agent = await machine.boot();
});

/** Nothing of any kernel is anywhere, and each was told to have ended once. */
async function expectNothingLeft(...ids: readonly string[]): Promise<void> {
  expect(await machine.leftovers()).toEqual([]);
  expect(agent.useCases.listKernels()).toEqual([]);
  expect(agent.disagreements()).toEqual([]);
  expect(agent.useCases.status().ports.used).toBe(0);
  expect(machine.clock.pending).toBe(0);
  for (const id of ids.length > 0 ? ids : [KERNEL_ID]) {
    expect(machine.terminations(id as typeof KERNEL_ID)).toHaveLength(1);
  }
}

async function startKernel(spec = kernelSpec()) {
  return machine.finish(agent.create(spec));
}

function containerName(): string {
  return machine.engine.containers()[0]!.name;
}

describe('a kernel that goes well', () => {
  it('is told stage by stage, and gone without a trace after its destruction', async () => {
    const spec = kernelSpec({ ...PULLED, kernelId: KERNEL_ID, preopenPorts: [8080, 8081] });
    const made = await startKernel(spec);
    const stages = ['image', 'slots', 'ports', 'scratch', 'container', 'start', 'runner'];
    expect(machine.told.map(({ name, body }) => ('stage' in body ? `stage ${body.stage}` : name))).toEqual([
      ...['kernel_preparing', 'kernel_pulling', 'stage pull', 'stage image', 'kernel_creating'],
      ...stages.slice(1).map((stage) => `stage ${stage}`),
      'kernel_started',
    ]);
    expect(Object.keys(made.timingsMs)).toEqual(['validate', ...stages, 'total']);
    expect(made).toMatchObject({ created: true, slots: { cpu: '1', mem: '536870912' }, kernelHost: '127.0.0.1' });
    expect(made.servicePorts.map(({ name }) => name)).toEqual(['sshd', '8080', '8081']);
    const hostPorts = [made.replInPort, made.replOutPort, ...made.servicePorts.flatMap((port) => port.hostPorts)];
    expect(new Set(hostPorts).size).toBe(5);
    expect(agent.useCases.getKernel(KERNEL_ID)).toMatchObject({ state: 'RUNNING', containerId: made.containerId });
    expect(agent.useCases.status()).toMatchObject({
      slots: { occupied: { cpu: '1', mem: '536870912' } },
      ports: { used: 5 },
      kernels: { RUNNING: 1, PREPARING: 0, TERMINATING: 0 },
    });
    expect(machine.engine.container(made.containerId)!.spec.ports.map(({ hostPort }) => hostPort)).toEqual(hostPorts);
    expect(machine.scratch.scratches.get(KERNEL_ID)?.get('config/resource.txt')?.data).toContain(
      `CID=${made.containerId}\n`,
    );
    expect(agent.disagreements()).toEqual([]);

    await machine.finish(agent.destroy(KERNEL_ID));
    expect(machine.terminations(KERNEL_ID)).toEqual([
      { kernel_id: KERNEL_ID, session_id: spec.sessionId, reason: 'user-requested', exit_code: -1 },
    ]);
    expect(machine.eventsOf(KERNEL_ID).at(-1)).toBe('kernel_terminated');
    await expectNothingLeft();
  });

  it('keeps scratch, devices and ports over a restart, in a new container', async () => {
    const first = await startKernel(kernelSpec({ preopenPorts: [8080] }));
    machine.scratch.scratches.get(KERNEL_ID)!.set('work/mine', { data: 'x', mode: 0o600, owner: undefined });
    const second = await machine.finish(agent.restart(KERNEL_ID));
    expect(second.containerId).not.toBe(first.containerId);
    const kept = ['allocation', 'servicePorts', 'replInPort', 'replOutPort', 'slots'] as const;
    for (const key of kept) expect(second[key]).toEqual(first[key]);
    expect(machine.scratch.scratches.get(KERNEL_ID)?.get('work/mine')?.data).toBe('x');
    expect(machine.engine.leftovers().containers).toHaveLength(1);
    expect(machine.eventsOf(KERNEL_ID).filter((name) => name !== 'kernel_stage')).toEqual([
      ...['kernel_preparing', 'kernel_creating', 'kernel_started', 'kernel_started'],
    ]);
    expect(await agent.reconcile()).toEqual([]);
    await machine.finish(agent.destroy(KERNEL_ID));
    await expectNothingLeft();
  });

  it('outlives its agent: the next one adopts it and all it holds', async () => {
    const made = await startKernel(kernelSpec({ preopenPorts: [8080] }));
    const before = agent.useCases.status();
    agent.kill();
    agent = await machine.boot();
    expect(agent.useCases.getKernel(KERNEL_ID)).toMatchObject({ state: 'RUNNING', containerId: made.containerId });
    expect(agent.useCases.status()).toEqual({ ...before, ready: agent.useCases.status().ready });
    expect(machine.runners.open.size).toBe(1);
    expect(await agent.reconcile()).toEqual([]);
    await machine.finish(agent.destroy(KERNEL_ID));
    await expectNothingLeft();
  });
});

describe('a second call for the same kernel', () => {
  it('joins a creation under way, finds a running kernel, and waits for one that ends', async () => {
    const calls = [agent.create(), agent.create()] as const;
    const [first, second] = await machine.finish(Promise.all(calls));
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.containerId).toBe(first.containerId);
    expect((await startKernel()).created).toBe(false);

    const ending = agent.destroy(KERNEL_ID);
    const again = await startKernel();
    await ending;
    expect(again.created).toBe(true);
    expect(again.containerId).not.toBe(first.containerId);
    expect(machine.terminations(KERNEL_ID)).toHaveLength(1);
    expect(machine.engine.leftovers().containers).toHaveLength(1);
    expect(agent.disagreements()).toEqual([]);
  });

  it('stops waiting for another one when it is cancelled, and harms nothing', async () => {
    const first = agent.create();
    const impatient = new AbortController();
    const second = outcomeOf(agent.create(kernelSpec(), impatient.signal));
    impatient.abort(new Error('enough'));
    expect(await second).toMatchObject({ message: 'enough' });
    expect((await machine.finish(first)).created).toBe(true);
  });

  it('shares the failure of the creation that it joined', async () => {
    machine.engine.fail('createContainer', { with: 'error' });
    const outcomes = await machine.finish(Promise.all([outcomeOf(agent.create()), outcomeOf(agent.create())]));
    expect(outcomes[0]).toMatchObject({ name: 'ContainerEngineUnavailableError' });
    expect(outcomes[1]).toBe(outcomes[0]);
    await expectNothingLeft();
  });

  it('ends it once, however many ask for its end', async () => {
    await startKernel();
    const destroying = [1, 2, 3].map(() => agent.destroy(KERNEL_ID));
    await machine.finish(Promise.all(destroying));
    await expectNothingLeft();
  });

  it('restarts it once, however many ask for it', async () => {
    await startKernel();
    const [one, two] = await machine.finish(Promise.all([agent.restart(KERNEL_ID), agent.restart(KERNEL_ID)]));
    expect(one.containerId).toBe(two.containerId);
    expect(machine.engine.calls.filter(({ method }) => method === 'createContainer')).toHaveLength(2);
  });
});

describe('an end in the middle', () => {
  it('of a pull, and another kernel that waits for the same pull takes it over', async () => {
    machine.engine.fail('pullImage', { with: 'slow', ms: 60_000, times: 2 });
    const first = outcomeOf(agent.create({ ...PULLED, kernelId: kernelIdOf(1) }));
    await machine.clock.advance(10);
    const second = agent.create({ ...PULLED, kernelId: kernelIdOf(2) });
    await machine.clock.advance(10);
    await machine.finish(agent.destroy(kernelIdOf(1)));
    expect(await first).toMatchObject({ name: 'ContainerStartupCancelledError' });
    expect((await machine.finish(second)).created).toBe(true);
    await machine.finish(agent.destroy(kernelIdOf(2)));
    await expectNothingLeft(kernelIdOf(1), kernelIdOf(2));
  });

  it('of a pull that it only waits for', async () => {
    machine.engine.fail('pullImage', { with: 'slow', ms: 60_000 });
    const first = agent.create({ ...PULLED, kernelId: kernelIdOf(1) });
    await machine.clock.advance(10);
    const second = outcomeOf(agent.create({ ...PULLED, kernelId: kernelIdOf(2) }));
    await machine.clock.advance(10);
    await agent.destroy(kernelIdOf(2));
    expect(machine.clock.monotonic()).toBeLessThan(60_000);
    expect(await second).toMatchObject({ name: 'ContainerStartupCancelledError' });
    await machine.finish(first);
    expect(machine.engine.calls.filter(({ method }) => method === 'pullImage')).toHaveLength(1);
  });

  it('of a creation, and it can be created again at once', async () => {
    machine.engine.fail('startContainer', { with: 'hang' });
    const first = outcomeOf(agent.create());
    await machine.clock.advance(10);
    const end = agent.destroy(KERNEL_ID);
    const again = agent.create();
    await machine.finish(end);
    expect(await first).toMatchObject({ name: 'ContainerStartupCancelledError' });
    expect((await machine.finish(again)).created).toBe(true);
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ reason: 'user-requested' }]);
    await machine.finish(agent.destroy(KERNEL_ID));
    expect(machine.terminations(KERNEL_ID)).toHaveLength(2);
    expect(await machine.leftovers()).toEqual([]);
  });

  it('of a restart', async () => {
    await startKernel();
    machine.engine.fail('createContainer', { with: 'hang' });
    const restart = outcomeOf(agent.restart(KERNEL_ID));
    await machine.clock.advance(10);
    await machine.finish(agent.destroy(KERNEL_ID));
    expect(await restart).toMatchObject({ name: 'ContainerStartupFailedError' });
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ reason: 'user-requested' }]);
    await expectNothingLeft();
  });

  it('of an adoption by the next agent', async () => {
    await startKernel();
    agent.kill();
    machine.runners.answering = false;
    const next = await FakeAgent.make(machine);
    agent = next;
    const recovery = next.recover();
    await machine.clock.advance(2_000);
    await machine.finish(next.destroy(KERNEL_ID));
    await machine.finish(recovery);
    await expectNothingLeft();
  });

  it('stops waiting when the one who asked for it is gone, and goes on', async () => {
    await startKernel();
    machine.engine.fail('stopContainer', { with: 'slow', ms: 3_000 });
    const request = { kernelId: KERNEL_ID, reason: 'user-requested', suppressEvents: false } as const;
    const caller = new AbortController();
    const waiting = outcomeOf(agent.useCases.destroyKernel(request, caller.signal));
    await settle();
    caller.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    await machine.clock.advance(4_000);
    await expectNothingLeft();
  });
});

describe('a kernel that is not there', () => {
  it('is told as already terminated when it is to be destroyed, if anybody knows its session', async () => {
    await agent.destroy(KERNEL_ID);
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ reason: 'already-terminated' }]);
    await agent.destroy(KERNEL_ID, true);
    expect(machine.terminations(KERNEL_ID)).toHaveLength(1);
  });

  it('cannot be restarted, nor can one that ends', async () => {
    await expect(agent.restart(KERNEL_ID)).rejects.toMatchObject({ name: 'KernelNotFoundError' });
    await startKernel();
    const end = agent.destroy(KERNEL_ID);
    await expect(agent.restart(KERNEL_ID)).rejects.toMatchObject({ name: 'KernelNotFoundError' });
    await machine.finish(end);
  });
});

describe('events that nobody wants', () => {
  it('are not told, in whatever way the kernel ends', async () => {
    await startKernel();
    await machine.finish(agent.destroy(KERNEL_ID, true));
    expect(machine.terminations(KERNEL_ID)).toEqual([]);
    expect(await machine.leftovers()).toEqual([]);
  });
});

describe('what the engine tells', () => {
  it('ends a kernel whose container ended, with its exit code', async () => {
    await startKernel();
    machine.engine.exit(containerName(), 3);
    await settle();
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ reason: 'self-terminated', exit_code: 3 }]);
    await expectNothingLeft();
  });

  it('notes that memory ran out, and lets the runner know', async () => {
    const { containerId } = await startKernel();
    const { labels, name } = machine.engine.container(containerId)!;
    machine.engine.events.emit({ action: 'oom', containerId, name, timeMs: machine.clock.now(), attributes: labels });
    await settle();
    expect(agent.useCases.getKernel(KERNEL_ID)).toMatchObject({ state: 'RUNNING', notice: 'oom' });
    expect([...machine.runners.open][0]?.notified).toEqual([['oom', {}]]);
  });

  it('is not needed to note that memory ran out, in the first container and in the next', async () => {
    await startKernel();
    const notice = () => agent.useCases.getKernel(KERNEL_ID).notice;
    machine.usage.oomKills = 1;
    await agent.sample();
    expect(notice()).toBe('oom');
    const run = { kernelId: KERNEL_ID, runId: null, mode: 'query', code: '', flushTimeoutMs: 1 } as const;
    await machine.finish(agent.useCases.execute(run, new AbortController().signal));
    await agent.sample();
    expect(notice()).toBeNull();
    await machine.finish(agent.restart(KERNEL_ID));
    machine.usage.oomKills = 1;
    await agent.sample();
    expect(notice()).toBe('oom');
  });

  it('is not needed to find a container that ended or is gone', async () => {
    await startKernel(kernelSpec({ kernelId: kernelIdOf(1) }));
    await startKernel(kernelSpec({ kernelId: kernelIdOf(2) }));
    const [first, second] = machine.engine.containers();
    machine.engine.loseEvents({ times: 3 });
    machine.engine.exit(first!.id, 7);
    await machine.engine.removeContainer(second!.id, { signal: new AbortController().signal });
    expect(await agent.reconcile()).toEqual(['terminate', 'terminate']);
    expect(machine.terminations(kernelIdOf(1))).toMatchObject([{ reason: 'self-terminated', exit_code: 7 }]);
    expect(machine.terminations(kernelIdOf(2))).toMatchObject([{ reason: 'container-not-found' }]);
    await expectNothingLeft(kernelIdOf(1), kernelIdOf(2));
  });

  it('of the death of an old container does not end the restarted kernel', async () => {
    const { containerId } = await startKernel();
    const { labels, name } = machine.engine.container(containerId)!;
    await machine.finish(agent.restart(KERNEL_ID));
    const attributes = { ...labels, exitCode: '9' };
    machine.engine.events.emit({ action: 'die', containerId, name, timeMs: machine.clock.now(), attributes });
    await settle();
    expect(agent.useCases.getKernel(KERNEL_ID).state).toBe('RUNNING');
  });

  it('of others is left alone: containers of another agent, and without labels', async () => {
    await startKernel();
    const { labels, spec } = machine.engine.containers()[0]!;
    const call = { signal: new AbortController().signal };
    const foreign = { ...labels, 'ai.backend.owner': 'i-other' };
    const id = await machine.engine.createContainer({ ...spec, name: 'foreign', labels: foreign, ports: [] }, call);
    await machine.engine.startContainer(id, call);
    machine.engine.exit(id, 1);
    await settle();
    expect(await agent.reconcile()).toEqual([]);
    expect(machine.engine.container('foreign')).toBeDefined();
    expect(agent.useCases.getKernel(KERNEL_ID).state).toBe('RUNNING');
  });
});

describe('what nobody owns', () => {
  it('is removed and told once: a container with our label and no record, and a scratch', async () => {
    await startKernel();
    await startKernel(kernelSpec({ kernelId: kernelIdOf(2), sessionId: parseSessionId(kernelIdOf(9)) }));
    agent.kill();
    await machine.records.remove(kernelIdOf(2));
    machine.scratch.scratches.set(kernelIdOf(3), new Map());
    agent = await machine.boot();
    expect(machine.terminations(kernelIdOf(2))).toMatchObject([
      { reason: 'terminated-unknown-container', session_id: kernelIdOf(9) },
    ]);
    expect([...machine.scratch.scratches.keys()]).toEqual([KERNEL_ID]);
    expect(await agent.reconcile()).toEqual([]);
    expect(machine.engine.leftovers().containers).toHaveLength(1);
  });
});
