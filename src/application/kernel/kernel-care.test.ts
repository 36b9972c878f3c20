import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../../../test/support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import { settle } from '../../../test/support/manual-clock.js';
import type { KernelId } from '../../domain/kernel/kernel-id.js';

const MINUTE_MS = 60_000;
const PULLED = kernelSpec({ image: { canonical: 'example/r:1', isLocal: false, autoPull: 'digest' } });
const { sessionId } = kernelSpec();
const signal = new AbortController().signal;

let machine: FakeMachine;
let agent: FakeAgent;

beforeEach(async () => {
  machine = new FakeMachine();
  machine.engine.registry.add('example/r:1');
  agent = await machine.boot();
});

const care = () => agent.useCases.kernelCare;
const create = (number: number) => machine.finish(agent.create(kernelSpec({ kernelId: kernelIdOf(number) })));
const ids = () => agent.useCases.listKernels().map(({ kernelId }) => kernelId);
const sync = (...kernelIds: readonly KernelId[]) =>
  machine.finish(care().syncRegistry(kernelIds.map((kernelId) => ({ kernelId, sessionId }))));

describe('looking after kernels', () => {
  it('tells a kernel that is being made from one that runs and one that is not there', async () => {
    const states = () => [care().isCreating(KERNEL_ID), care().isRunning(KERNEL_ID)];
    expect(states()).toEqual([false, false]);
    machine.engine.fail('startContainer', { with: 'slow', ms: 100 });
    const creation = agent.create();
    await machine.clock.advance(50);
    expect(states()).toEqual([true, false]);
    await machine.finish(creation);
    expect(states()).toEqual([true, true]);
    await machine.finish(agent.destroy(KERNEL_ID));
    expect(states()).toEqual([false, false]);
  });

  it('never tells a Manager that a kernel which is restarted does not run', async () => {
    await machine.finish(agent.create());
    machine.engine.fail('startContainer', { with: 'slow', ms: 100 });
    const restart = agent.restart(KERNEL_ID);
    await machine.clock.advance(50);
    expect(agent.useCases.getKernel(KERNEL_ID).state).toBe('RESTARTING');
    expect(care().isRunning(KERNEL_ID)).toBe(true);
    await machine.finish(restart);
    expect(care().isRunning(KERNEL_ID)).toBe(true);
  });

  it('says nothing of kernels before they are known', async () => {
    await machine.finish(agent.create());
    agent.kill();
    machine.engine.fail('listContainers', { with: 'slow', ms: 1_000 });
    const { FakeAgent: Agent } = await import('../../../test/support/fake-agent.js');
    agent = await Agent.make(machine);
    const recovery = agent.recover();
    await settle();
    const notReady = expect.objectContaining({ name: 'NotReadyError', retryable: true }) as Error;
    expect(() => care().isRunning(KERNEL_ID)).toThrow(notReady);
    await expect(care().syncRegistry([])).rejects.toEqual(notReady);
    await machine.finish(recovery);
    expect(care().isRunning(KERNEL_ID)).toBe(true);
  });

  it('passes a ping on to the runner, and does not wait for one that is silent', async () => {
    await machine.finish(agent.create());
    expect(await machine.finish(care().ping(KERNEL_ID, signal))).toEqual({ startedAt: 1 });
    machine.runners.answering = false;
    const asked = machine.clock.monotonic();
    expect(await machine.finish(care().ping(KERNEL_ID, signal))).toBeNull();
    expect(machine.clock.monotonic() - asked).toBeLessThan(60_000);
    await expect(care().ping(kernelIdOf(9), signal)).rejects.toMatchObject({ name: 'KernelNotFoundError' });
    const abort = new AbortController();
    const ping = outcomeOf(care().ping(KERNEL_ID, abort.signal));
    abort.abort(new Error('enough'));
    expect(await machine.finish(ping)).toMatchObject({ message: 'enough' });
  });

  it('stops services, and never minds those that are not there', async () => {
    await machine.finish(agent.create());
    await care().shutdownService(KERNEL_ID, 'jupyter', signal);
    const [runner] = [...machine.runners.open];
    expect(runner!.sent).toEqual([['shutdown-service', 'jupyter']]);
    await care().shutdownService(kernelIdOf(9), 'jupyter', signal);
    runner!.shutdownService = () => Promise.reject(new Error('the runner is gone'));
    await care().shutdownService(KERNEL_ID, 'jupyter', signal);
    runner!.shutdownService = () => new Promise(() => undefined);
    await machine.finish(care().shutdownService(KERNEL_ID, 'jupyter', signal));
    expect(machine.clock.pending).toBe(0);
  });
});

describe("a Manager's list of kernels", () => {
  it('ends ours that are not in it, without a word, and leaves the others', async () => {
    await create(1);
    await create(2);
    await machine.clock.advance(2 * MINUTE_MS);
    await sync(kernelIdOf(2));
    await machine.clock.advance(MINUTE_MS);
    expect(ids()).toEqual([kernelIdOf(2)]);
    expect(machine.terminations(kernelIdOf(1))).toEqual([]);
    expect(machine.terminations(kernelIdOf(2))).toEqual([]);
    expect(machine.engine.containers()).toHaveLength(1);
    await sync(kernelIdOf(2));
    await machine.clock.advance(MINUTE_MS);
    expect(ids()).toEqual([kernelIdOf(2)]);
  });

  it('has those that we do not know told to have ended, once each', async () => {
    await create(1);
    const before = machine.told.length;
    await sync(kernelIdOf(1), kernelIdOf(7), kernelIdOf(8), kernelIdOf(7));
    expect(machine.told.slice(before).map(({ name, body }) => [name, body])).toEqual(
      [7, 8].map((number) => [
        'kernel_terminated',
        { kernel_id: kernelIdOf(number), session_id: sessionId, reason: 'already-terminated', exit_code: -1 },
      ]),
    );
  });

  it('is of one address of this agent: kernels made under another live on', async () => {
    const made = (number: number, agentAddr: string) =>
      machine.finish(agent.create(kernelSpec({ kernelId: kernelIdOf(number), agentAddr })));
    const [former, now] = ['tcp://10.0.0.1:6011', machine.settings.advertisedRpcAddress] as const;
    await made(1, former);
    await made(2, former);
    await made(3, now);
    await made(4, now);
    await machine.clock.advance(2 * MINUTE_MS);
    await sync(kernelIdOf(1));
    await machine.clock.advance(MINUTE_MS);
    expect(ids()).toEqual([1, 3, 4].map(kernelIdOf));
    await sync(kernelIdOf(4));
    await machine.clock.advance(MINUTE_MS);
    expect(ids()).toEqual([1, 4].map(kernelIdOf));
    await sync(kernelIdOf(9));
    await machine.clock.advance(MINUTE_MS);
    expect(ids()).toEqual([kernelIdOf(1)]);
  });

  it('spares kernels that are younger than it may know, and those that are being made or restarted', async () => {
    await create(1);
    await sync(kernelIdOf(9));
    expect(ids()).toEqual([kernelIdOf(1)]);
    await machine.clock.advance(2 * MINUTE_MS);
    machine.engine.fail('startContainer', { with: 'slow', ms: MINUTE_MS / 2, times: 2 });
    const creation = agent.create(kernelSpec({ kernelId: kernelIdOf(2) }));
    const restart = agent.restart(kernelIdOf(1));
    await machine.clock.advance(50);
    await sync(kernelIdOf(9));
    await machine.finish(Promise.all([creation, restart]));
    expect(ids()).toEqual([kernelIdOf(1), kernelIdOf(2)]);
    expect(agent.disagreements()).toEqual([]);
  });

  it('keeps what could not be destroyed for the reconciler', async () => {
    await create(1);
    await machine.clock.advance(2 * MINUTE_MS);
    machine.engine.stop({ keepContainers: true });
    await sync(kernelIdOf(9));
    await machine.clock.advance(3 * MINUTE_MS);
    expect(agent.useCases.getKernel(kernelIdOf(1)).state).toBe('TERMINATING');
    machine.engine.start();
    await agent.reconcile();
    expect(ids()).toEqual([]);
    expect(machine.terminations(kernelIdOf(1))).toEqual([]);
    expect(await machine.leftovers()).toEqual([]);
  });
});

describe('a kernel that is destroyed while it is made', () => {
  const moments = [
    ['preparing', 'inspectImage', PULLED],
    ['pulling', 'pullImage', PULLED],
    ['creating its container', 'createContainer', kernelSpec()],
    ['starting', 'startContainer', kernelSpec()],
  ] as const;

  it.each(moments)('%s leaves nothing and ends once', async (_, method, spec) => {
    machine.engine.fail(method, { with: 'slow', ms: MINUTE_MS });
    const creation = outcomeOf(agent.create(spec));
    await machine.clock.advance(50);
    expect(care().isCreating(KERNEL_ID)).toBe(true);
    await machine.finish(Promise.all([agent.destroy(KERNEL_ID), agent.destroy(KERNEL_ID)]));
    expect(await creation).toMatchObject({ name: 'ContainerStartupCancelledError' });
    expect(machine.terminations(KERNEL_ID)).toEqual([expect.objectContaining({ reason: 'user-requested' })]);
    expect(await machine.leftovers()).toEqual([]);
    expect(agent.disagreements()).toEqual([]);
  });
});
