import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../../../test/support/fake-agent.js';
import { memoryPlugin } from '../../../test/support/fake-node.js';
import { kernelSpec } from '../../../test/support/kernel-records.js';

const signal = new AbortController().signal;
const SHARES = { kind: 'fraction', strategy: 'FILL', quantum: '0.1', minimum: '0.1' } as const;
const gpus = memoryPlugin('cuda', 'count', SHARES, { 'GPU-0': '7', 'GPU-1': '10' });

let machine: FakeMachine;
let agent: FakeAgent;

beforeEach(async () => {
  machine = new FakeMachine();
  machine.plugins = [gpus];
  agent = await machine.boot();
});

const node = () => agent.useCases.node;
const create = (number: number, slots: Record<string, string> = {}) =>
  machine.finish(
    agent.create(kernelSpec({ kernelId: kernelIdOf(number), resourceSlots: { cpu: '1', mem: '536870912', ...slots } })),
  );
const groups = () =>
  machine.told.flatMap(({ name, body }) => (name === 'agent_heartbeat' ? [body.agent_info.scaling_group] : []));

describe('hardware', () => {
  it('is told by the plug-ins that know it, also when one fails or hangs', async () => {
    const report = { status: 'healthy', statusInfo: null, metadata: { driver: '550.1' } } as const;
    const [fails, hangs] = ['rocm', 'tpu'].map((key) => memoryPlugin(key, 'count', SHARES, {}));
    machine.plugins = [
      { ...gpus, hardware: () => Promise.resolve(report) },
      { ...fails!, hardware: () => Promise.reject(new Error('the library is missing')) },
      { ...hangs!, hardware: () => new Promise(() => undefined) },
    ];
    agent = await machine.boot();
    expect(await machine.finish(node().hardware(signal))).toEqual([
      { deviceName: 'cuda', ...report },
      { deviceName: 'rocm', status: 'unavailable', statusInfo: 'the library is missing', metadata: {} },
      { deviceName: 'tpu', status: 'unavailable', statusInfo: 'no answer within 10000 ms', metadata: {} },
    ]);
    expect(await machine.finish(outcomeOf(node().hardware(AbortSignal.abort(new Error('enough')))))).toMatchObject({
      message: 'enough',
    });
    expect(machine.clock.pending).toBe(0);
  });
});

describe('GPU allocations', () => {
  it('are shares of capacity, of the kernels that live', async () => {
    expect(node().gpuAllocations()).toEqual({});
    await create(1, { cuda: '1.5' });
    await create(2, { cuda: '1.5' });
    await create(3, { cuda: '1.5' });
    await create(4);
    expect(node().gpuAllocations()).toEqual({ 'GPU-0': '0.2143', 'GPU-1': '0.3000' });
    await machine.finish(agent.destroy(kernelIdOf(1)));
    expect(node().gpuAllocations()).toEqual({ 'GPU-0': '0.2143', 'GPU-1': '0.1500' });
  });

  it('count what is left of devices that are gone', async () => {
    await create(1, { cuda: '1.5' });
    agent.kill();
    machine.plugins = [memoryPlugin('cuda', 'count', SHARES, { 'GPU-5': '4' })];
    agent = await machine.boot();
    expect(node().gpuAllocations()).toEqual({ 'GPU-1': '1.5000' });
    expect(machine.logger.lines.some(({ message }) => message.includes('GPU-1'))).toBe(true);
  });
});

describe('reset', () => {
  it('destroys every kernel and tells each', async () => {
    await create(1);
    await create(2);
    machine.engine.fail('pullImage', { with: 'slow', ms: 60_000 });
    machine.engine.registry.add('example/r:1');
    const image = { canonical: 'example/r:1', isLocal: false, autoPull: 'digest' } as const;
    const creation = outcomeOf(agent.create(kernelSpec({ kernelId: kernelIdOf(3), image })));
    await machine.clock.advance(50);
    await machine.finish(node().reset(signal));
    expect(agent.useCases.listKernels()).toEqual([]);
    expect(await creation).toMatchObject({ name: 'ContainerStartupCancelledError' });
    for (const number of [1, 2, 3]) {
      expect(machine.terminations(kernelIdOf(number)).map(({ reason }) => reason)).toEqual(['agent-termination']);
    }
    expect(await machine.leftovers()).toEqual([]);
    await machine.finish(node().reset(signal));
    expect(machine.clock.pending).toBe(0);
  });

  it('tells what it could not destroy, and does not wait for ever', async () => {
    await create(1);
    await create(2);
    machine.engine.fail('stopContainer', { with: 'hang', times: 1 });
    machine.engine.fail('removeContainer', { with: 'error', times: 1 });
    const outcome = await machine.finish(outcomeOf(node().reset(signal)));
    expect(outcome).toMatchObject({ name: 'ContainerTeardownIncompleteError', message: /1 of 2 kernels/ });
    machine.engine.heal();
    await agent.reconcile();
    expect(agent.useCases.listKernels()).toEqual([]);
  });
});

describe('the resource group', () => {
  it('that a Manager chose is in later heartbeats, also after a restart', async () => {
    await agent.heartbeat();
    await node().changeResourceGroup('gpu-nodes');
    await agent.heartbeat();
    agent.kill();
    agent = await machine.boot();
    await agent.heartbeat();
    expect(groups()).toEqual([null, 'gpu-nodes', 'gpu-nodes']);
  });

  it.each(['', ' ', '-x', 'a\nb', 'x'.repeat(65), 'a/b'])('is not changed to %j', async (name) => {
    await expect(node().changeResourceGroup(name)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    expect(machine.movedTo).toBeUndefined();
  });

  it('is the configured one again when that was changed since', async () => {
    await node().changeResourceGroup('gpu-nodes');
    const moved = machine.movedTo;
    machine = new FakeMachine({ resourceGroup: 'storage-nodes' });
    machine.movedTo = moved;
    agent = await machine.boot();
    await agent.heartbeat();
    await node().changeResourceGroup('gpu-nodes');
    await agent.heartbeat();
    expect(groups()).toEqual(['storage-nodes', 'gpu-nodes']);
  });
});

describe('abuse reports', () => {
  it('are where the configuration says, or nowhere', async () => {
    expect(node().abuseReportPath()).toBe('');
    machine = new FakeMachine({ abuseReportPath: '/var/lib/abuse' });
    agent = await machine.boot();
    expect(node().abuseReportPath()).toBe('/var/lib/abuse');
  });
});
