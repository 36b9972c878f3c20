import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../support/kernel-records.js';
import { settle } from '../support/manual-clock.js';

let machine: FakeMachine;
let agent: FakeAgent;

beforeEach(async () => {
  machine = new FakeMachine();
  agent = await machine.boot();
});

const create = (spec = kernelSpec()) => machine.finish(outcomeOf(agent.create(spec)));

async function expectGone(reason: string): Promise<void> {
  expect(await machine.leftovers()).toEqual([]);
  expect(agent.useCases.status().ports.used).toBe(0);
  expect(agent.disagreements()).toEqual([]);
  expect(machine.terminations(KERNEL_ID)).toMatchObject([{ reason }]);
  expect(machine.clock.pending).toBe(0);
}

describe('a kernel that cannot be made', () => {
  it.each(['create', 'write', 'append'] as const)('because the disk is full (scratch %s)', async (call) => {
    machine.scratch.failNext(call);
    expect(await create()).toMatchObject({ name: 'StorageError' });
    await expectGone(call === 'append' ? 'failed-to-start' : 'failed-to-create');
  });

  it('because its record cannot be written', async () => {
    machine.records.failure = new Error('No space left on device');
    expect(await create()).toMatchObject({ message: 'No space left on device' });
    expect(machine.engine.calls.map(({ method }) => method)).not.toContain('createContainer');
    machine.records.failure = undefined;
    await agent.reconcile();
    await expectGone('failed-to-create');
  });

  it('because all host ports are taken, by kernels or by others', async () => {
    const [first, last] = machine.settings.container.portRange;
    for (let port = first; port <= last - 3; port += 1) machine.ports.memory.taken.add(port);
    expect(await create(kernelSpec({ preopenPorts: [8080] }))).toMatchObject({
      name: 'PortPoolExhaustedError',
      retryable: true,
    });
    await expectGone('failed-to-create');
    expect(await create()).toBe('done');
    expect(await create(kernelSpec({ kernelId: kernelIdOf(2) }))).toMatchObject({ name: 'PortPoolExhaustedError' });
    expect(agent.useCases.status().ports.used).toBe(3);
    machine.ports.memory.taken.clear();
    expect(await create(kernelSpec({ kernelId: kernelIdOf(2) }))).toBe('done');
  });

  it('because ports cannot be bound at all', async () => {
    const used = agent.useCases.status().ports;
    agent.boundary.meddle = ({ name }, effect) =>
      name === 'ports.hold' ? Promise.reject(new Error('no such address')) : effect();
    expect(await create()).toMatchObject({ message: 'no such address' });
    await expectGone('failed-to-create');
    expect(agent.useCases.status().ports).toEqual(used);
  });

  it('because there are not enough devices, which the Manager is asked to look at', async () => {
    expect(await create(kernelSpec({ resourceSlots: { cpu: '6', mem: '64m' } }))).toBe('done');
    const outcome = await create(kernelSpec({ kernelId: kernelIdOf(2), resourceSlots: { cpu: '3', mem: '64m' } }));
    expect(outcome).toMatchObject({ name: 'InsufficientResource' });
    expect(machine.told.map(({ name }) => name)).toContain('do_agent_resource_check');
    expect(machine.terminations(kernelIdOf(2))).toHaveLength(1);
  });

  it('because its runner never answers', async () => {
    machine.runners.answering = false;
    expect(await create()).toMatchObject({
      name: 'ContainerStartupTimeoutError',
      message: 'the kernel runner did not answer within 30 s',
    });
    await expectGone('failed-to-start');
  });

  it('because its container ends during the start: with exit code and the end of its log', async () => {
    machine.runners.answering = false;
    machine.engine.onStart = (container) => {
      container.print('starting\ncannot find the loader\n');
      machine.engine.exit(container.id, 127);
    };
    const outcome = await create();
    expect(outcome).toMatchObject({ name: 'ContainerStartupFailedError' });
    expect((outcome as Error).message).toBe(
      'the container ended with exit code 127 before it was ready: starting\ncannot find the loader',
    );
    await expectGone('failed-to-start');
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ exit_code: 127 }]);
  });

  it.each([true, false])(
    'because its container ends while the runner is waited for (told by an event: %s)',
    async (isTold) => {
      machine.runners.answering = false;
      const creation = outcomeOf(agent.create());
      await machine.clock.advance(1_500);
      const container = machine.engine.containers()[0]!;
      container.print('out of luck');
      if (!isTold) machine.engine.loseEvents({ times: 9 });
      const before = machine.clock.monotonic();
      machine.engine.exit(container.id, 1, { oom: true });
      const outcome = await machine.finish(creation);
      expect((outcome as Error).message).toBe(
        'the container ran out of memory and ended with exit code 1 before it was ready: out of luck',
      );
      expect(machine.clock.monotonic() - before).toBeLessThan(isTold ? 100 : 3_000);
      await expectGone('failed-to-start');
    },
  );

  it('is told to have started before it is told to have ended, when its container ends in between', async () => {
    let saves = 0;
    agent.boundary.meddle = async ({ name }, effect) => {
      if (name === 'records.save' && (saves += 1) === 3) {
        machine.engine.exit(machine.engine.containers()[0]!.id, 5);
        await settle();
      }
      return effect();
    };
    expect(await create()).toBe('done');
    await settle();
    expect(machine.terminations(KERNEL_ID)).toMatchObject([{ exit_code: 5 }]);
    expect(machine.eventsOf(KERNEL_ID).slice(-2)).toEqual(['kernel_started', 'kernel_terminated']);
    expect(await machine.leftovers()).toEqual([]);
  });

  it("because a container of that name is somebody else's", async () => {
    const call = { signal: new AbortController().signal };
    await create();
    const { spec, labels } = machine.engine.containers()[0]!;
    await machine.finish(agent.destroy(KERNEL_ID));
    const foreign = { ...labels, 'ai.backend.owner': 'i-other' };
    await machine.engine.createContainer({ ...spec, labels: foreign }, call);
    expect(await create()).toMatchObject({ name: 'ContainerEngineConflictError' });
  });
});

describe('a restart that fails', () => {
  it('before it began leaves the kernel as it was', async () => {
    await create();
    const before = agent.useCases.getKernel(KERNEL_ID);
    machine.records.failure = new Error('No space left on device');
    expect(await machine.finish(outcomeOf(agent.restart(KERNEL_ID)))).toMatchObject({
      message: 'No space left on device',
    });
    machine.records.failure = undefined;
    const cancelled = outcomeOf(agent.restart(KERNEL_ID, AbortSignal.abort()));
    expect(await cancelled).toMatchObject({ name: 'ContainerStartupCancelledError' });
    expect(agent.useCases.getKernel(KERNEL_ID)).toEqual(before);
    expect(machine.terminations(KERNEL_ID)).toEqual([]);
    expect(await agent.reconcile()).toEqual([]);
  });

  it('later ends the kernel, and says why', async () => {
    await create();
    machine.engine.images.remove('python:3.11');
    const outcome = await machine.finish(outcomeOf(agent.restart(KERNEL_ID)));
    expect(outcome).toMatchObject({ name: 'ContainerStartupFailedError' });
    expect((outcome as Error).message).toContain('image python:3.11 is not on this machine');
    await expectGone('failed-to-start');
  });

  it('because it takes too long ends the kernel as that', async () => {
    await create();
    machine.runners.answering = false;
    const outcome = await machine.finish(outcomeOf(agent.restart(KERNEL_ID)));
    expect(outcome).toMatchObject({ name: 'TimeoutError', retryable: false });
    expect((outcome as Error).message).toContain('could not be restarted');
    await expectGone('restart-timeout');
  });

  it('because the old container does not go ends the kernel, and says that', async () => {
    await create();
    machine.engine.fail('removeContainer', { with: 'error', times: 1 });
    expect(await machine.finish(outcomeOf(agent.restart(KERNEL_ID)))).toMatchObject({
      name: 'ContainerStartupFailedError',
    });
    await agent.reconcile();
    await expectGone('restart-timeout');
  });
});

describe('a kernel that cannot be removed', () => {
  it('keeps all it holds, is told when it is gone, and gives nothing to others meanwhile', async () => {
    await create(kernelSpec({ resourceSlots: { cpu: '8', mem: '64m' } }));
    machine.engine.stop({ keepContainers: true });
    const outcome = await machine.finish(outcomeOf(agent.destroy(KERNEL_ID)));
    expect(outcome).toMatchObject({ name: 'ContainerTeardownIncompleteError', retryable: true });
    expect(agent.useCases.getKernel(KERNEL_ID).state).toBe('TERMINATING');
    expect(agent.useCases.status()).toMatchObject({ slots: { available: { cpu: '0' } }, ports: { used: 3 } });
    machine.engine.start();
    expect(await create(kernelSpec({ kernelId: kernelIdOf(2) }))).toMatchObject({ name: 'InsufficientResource' });
    expect(machine.terminations(KERNEL_ID)).toEqual([]);
    expect(await agent.reconcile()).toEqual(['terminate']);
    await expectGone('user-requested');
  });

  it('because it does not stop, is killed', async () => {
    await create();
    machine.engine.containers()[0]!.ignoresStopSignal = true;
    machine.engine.fail('stopContainer', { with: 'error' });
    expect(await machine.finish(outcomeOf(agent.destroy(KERNEL_ID)))).toBe('done');
    await expectGone('user-requested');
  });
});

describe('how many kernels are made at once', () => {
  it('is limited for all callers together, from container to readiness, and freed by failures', async () => {
    machine = new FakeMachine({ kernelCreationConcurrency: 2 });
    agent = await machine.boot();
    let most = 0;
    const underWay = () =>
      agent.useCases.listKernels().filter(({ state, containerId }) => state === 'PREPARING' && containerId !== null)
        .length;
    machine.engine.onStart = () => (most = Math.max(most, underWay()));
    machine.engine.fail('startContainer', { with: 'slow', ms: 1_000, times: 5 });
    machine.engine.fail('startContainer', { with: 'error' });
    const creations = [1, 2, 3, 4, 5, 6, 7].map((number) =>
      outcomeOf(agent.create(kernelSpec({ kernelId: kernelIdOf(number) }))),
    );
    await machine.clock.advance(500);
    const calls = machine.engine.calls.map(({ method }) => method);
    expect(calls.filter((method) => method === 'inspectImage')).toHaveLength(7);
    expect(calls.filter((method) => method === 'createContainer')).toHaveLength(2);
    // One gives up its turn, one its place in the line.
    await machine.finish(Promise.all([1, 3].map((number) => agent.destroy(kernelIdOf(number)))));
    const outcomes = await machine.finish(Promise.all(creations));
    expect(most).toBe(2);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(4);
    expect(machine.clock.monotonic()).toBeLessThan(10_000);
    // Nothing of the limit is lost: two more at once, and a restart counts as well.
    const id = agent.useCases.listKernels()[0]!.kernelId;
    const again = [agent.restart(id), agent.create(kernelSpec({ kernelId: kernelIdOf(8) }))];
    expect(await machine.finish(Promise.all(again.map(outcomeOf)))).toEqual(['done', 'done']);
    expect(agent.disagreements()).toEqual([]);
  });
});
