import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, kernelIdOf, outcomeOf } from '../../../test/support/fake-agent.js';
import { kernelSpec } from '../../../test/support/kernel-records.js';
import { engineConflict, engineError } from '../../domain/error/errors.js';
import type { KernelSpec } from '../../domain/kernel/kernel-spec.js';

const NAME = 'bai-singlenode-7f3d2c1b-0000-4000-8000-000000000002';
const MINUTE_MS = 60_000;
const LABEL = { 'ai.backend.cluster-network': '1' };
const signal = new AbortController().signal;

let machine: FakeMachine;
let agent: FakeAgent;

beforeEach(async () => {
  machine = new FakeMachine();
  agent = await machine.boot();
});

const networks = () => machine.engine.leftovers().networks;
const create = (name = NAME) => machine.finish(agent.useCases.networks.create(name, signal));
const destroy = (name = NAME) => machine.finish(agent.useCases.networks.destroy(name, signal));

function member(number: number, changes: Partial<KernelSpec> = {}): KernelSpec {
  const hostname = number === 1 ? 'main1' : `sub${number - 1}`;
  return kernelSpec({
    kernelId: kernelIdOf(number),
    clusterRole: number === 1 ? 'main' : 'sub',
    clusterHostname: hostname,
    cluster: {
      ...{ mode: 'single-node', size: 2, replicas: { main: 1, sub: 1 } },
      networkConfig: { mode: 'bridge', network_name: NAME },
    },
    ...changes,
  });
}

describe('cluster networks', () => {
  it('are made once, labelled, and gone after their end', async () => {
    await create();
    await create();
    await Promise.all([create(), create()]);
    expect(networks()).toEqual([NAME]);
    expect(machine.engine.calls.find(({ method }) => method === 'createNetwork')?.args).toEqual([
      NAME,
      { ...LABEL, 'ai.backend.owner': 'i-fake' },
    ]);
    await destroy();
    await destroy();
    expect(networks()).toEqual([]);
  });

  it.each(['', 'host', 'bridge', 'none', 'a/b', '../x', '-x', 'x'.repeat(129), 'a b', 'ingress'])(
    'refuse the name %j before the engine is asked',
    async (name) => {
      const before = machine.engine.calls.length;
      for (const work of [create(name), destroy(name)]) {
        await expect(work).rejects.toMatchObject({ name: 'InvalidArgumentError', field: 'network_name' });
      }
      expect(machine.engine.calls).toHaveLength(before);
    },
  );

  it('carry the kernels of a session, each under its host name', async () => {
    await create();
    await machine.finish(Promise.all([agent.create(member(1)), agent.create(member(2))]));
    expect(machine.engine.containers().map(({ spec }) => [spec.hostname, spec.network])).toEqual([
      ['main1', { name: NAME, aliases: ['main1'] }],
      ['sub1', { name: NAME, aliases: ['sub1'] }],
    ]);
    await expect(destroy()).rejects.toMatchObject({
      ...{ name: 'ContainerEngineConflictError', retryable: true },
      message: expect.stringMatching(/still used/) as string,
    });
    await machine.finish(Promise.all([1, 2].map((number) => agent.destroy(kernelIdOf(number)))));
    await destroy();
    expect(await machine.leftovers()).toEqual([]);
  });

  it('leave a network alone that somebody else gave the name', async () => {
    await machine.engine.createNetwork(NAME, { com: 'another' }, { signal });
    await create();
    await destroy();
    expect(networks()).toEqual([NAME]);
  });

  it('tell when the engine is away', async () => {
    machine.engine.stop();
    const away = { name: 'ContainerEngineUnavailableError' };
    await expect(create()).rejects.toMatchObject(away);
    await expect(destroy()).rejects.toMatchObject(away);
    machine.engine.start();
    await create();
    expect(networks()).toEqual([NAME]);
  });

  it('of the host and of unknown kinds', async () => {
    const cluster = (networkConfig: Record<string, unknown>) => ({ cluster: { ...member(1).cluster, networkConfig } });
    for (const config of [
      { mode: 'bridge' },
      { mode: 'bridge', network_name: 'host' },
      { mode: 'macvlan' },
      { mode: 7 },
    ]) {
      const outcome = await machine.finish(outcomeOf(agent.create(member(1, cluster(config)))));
      expect(outcome).toMatchObject({ name: 'InvalidArgumentError' });
    }
    expect(machine.engine.calls.some(({ method }) => method === 'createContainer')).toBe(false);
    const overlay = { mode: 'overlay', network_name: 'bai-multinode-1', network_id: 'abc' };
    await machine.engine.createNetwork('bai-multinode-1', {}, { signal });
    await machine.finish(agent.create(member(2, cluster(overlay))));
    expect(machine.engine.containers()[0]!.spec.network).toEqual({ name: 'bai-multinode-1', aliases: ['sub1'] });
  });
});

describe('cluster networks that a Manager forgot', () => {
  it('go when no kernel wanted them for ten minutes, also after a restart of the agent', async () => {
    await create();
    agent.kill();
    agent = await machine.boot();
    await agent.tidyNetworks();
    await machine.clock.advance(9 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([NAME]);
    await machine.clock.advance(2 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([]);
  });

  it('stay while a kernel is in them, and ten minutes longer', async () => {
    await create();
    await agent.tidyNetworks();
    await machine.clock.advance(9 * MINUTE_MS);
    await machine.finish(agent.create(member(1)));
    await machine.clock.advance(30 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([NAME]);
    await machine.finish(agent.destroy(kernelIdOf(1)));
    await agent.tidyNetworks();
    await machine.clock.advance(9 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([NAME]);
    await machine.clock.advance(MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([]);
  });

  it('stay when they are asked for again, and when others own them or use them', async () => {
    await create();
    await machine.engine.createNetwork('of-another-agent', { ...LABEL, 'ai.backend.owner': 'i-other' }, { signal });
    await agent.tidyNetworks();
    await machine.clock.advance(9 * MINUTE_MS);
    await create();
    await machine.clock.advance(2 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([NAME, 'of-another-agent']);
    machine.engine.fail('removeNetwork', { with: 'error', error: engineConflict('active endpoints') });
    await machine.clock.advance(11 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual([NAME, 'of-another-agent']);
    await agent.tidyNetworks();
    await machine.clock.advance(11 * MINUTE_MS);
    await agent.tidyNetworks();
    expect(networks()).toEqual(['of-another-agent']);
  });
});

describe('assigned ports', () => {
  const assign = () => agent.useCases.networks.assignPort();
  const ports = () => agent.useCases.status().ports;
  const sshPorts = (number: number) =>
    agent.useCases.getKernel(kernelIdOf(number)).servicePorts.find(({ name }) => name === 'sshd')?.hostPorts;
  const mapped = (
    number: number,
    port: number,
    key = `node-${kernelIdOf(number)}`,
    changes: Partial<KernelSpec> = {},
  ) =>
    member(number, {
      cluster: { ...member(number).cluster, networkConfig: {}, sshPortMapping: { [key]: ['10.0.0.1', port] } },
      ...changes,
    });

  it('are nobody else\u2019s, booked and bound, until they are given back', async () => {
    const port = await assign();
    const other = await assign();
    expect(other).not.toBe(port);
    expect([...machine.ports.memory.held]).toEqual([port, other]);
    expect(ports().used).toBe(2);
    const made = await machine.finish(agent.create());
    const hostPorts = [made.replInPort, made.replOutPort, ...made.servicePorts.flatMap((service) => service.hostPorts)];
    expect(hostPorts).not.toContain(port);
    agent.useCases.networks.releasePort(port);
    agent.useCases.networks.releasePort(port);
    agent.useCases.networks.releasePort(1);
    agent.useCases.networks.releasePort(made.replInPort);
    await machine.clock.advance(1);
    expect([...machine.ports.memory.held]).toEqual([other]);
    expect(ports().used).toBe(1 + hostPorts.length);
    expect(agent.disagreements()).toEqual([expect.stringMatching(/ports booked/)]);
    agent.useCases.networks.releasePort(other);
    await machine.clock.advance(1);
    expect(agent.disagreements()).toEqual([]);
  });

  it('skip what others listen on, and end with the pool', async () => {
    const [first, last] = machine.settings.container.portRange;
    machine.ports.memory.taken.add(first);
    const all = new Set<number>();
    for (let port = first + 1; port <= last; port += 1) all.add(await assign());
    expect(all.size).toBe(last - first);
    await expect(assign()).rejects.toMatchObject({ name: 'PortPoolExhaustedError' });
    expect(ports().used).toBe(last - first);
  });

  it.each([
    ['the host name', 'main1'],
    ['the name that Managers use', `node-${kernelIdOf(1)}`],
  ])('become the SSH port of the kernel that is mapped by %s', async (_, key) => {
    const port = await assign();
    await machine.finish(agent.create(mapped(1, port, key)));
    expect(sshPorts(1)).toEqual([port]);
    expect(machine.engine.containers()[0]!.spec.ports.map(({ hostPort }) => hostPort)).toContain(port);
    expect(agent.disagreements()).toEqual([]);
    // It is the kernel's now.
    agent.useCases.networks.releasePort(port);
    await machine.clock.advance(11 * MINUTE_MS);
    expect(await assign()).not.toBe(port);
    await machine.finish(agent.destroy(kernelIdOf(1)));
    expect(ports().used).toBe(1);
  });

  it('are found again after a restart of the agent, as long as they are free', async () => {
    const port = await assign();
    agent.kill();
    agent = await machine.boot();
    expect(ports().used).toBe(0);
    await machine.finish(agent.create(mapped(1, port)));
    expect(sshPorts(1)).toEqual([port]);
    await machine.finish(agent.create(mapped(2, port)));
    expect(sshPorts(2)).not.toEqual([port]);
    expect(machine.logger.lines.some(({ message }) => message.includes(`port ${port}`))).toBe(true);
    expect(agent.disagreements()).toEqual([]);
  });

  it('are free again when their kernel fails', async () => {
    const port = await assign();
    machine.engine.fail('createContainer', { with: 'error', error: engineError('no') });
    await machine.finish(outcomeOf(agent.create(mapped(1, port))));
    expect(ports().used).toBe(0);
    expect([...machine.ports.memory.held]).toEqual([]);
    // Too few ports are left for what the kernel wants besides.
    const [first, last] = machine.settings.container.portRange;
    const next = await assign();
    for (let taken = first; taken <= last; taken += 1) if (taken !== next) machine.ports.memory.taken.add(taken);
    await machine.finish(outcomeOf(agent.create(mapped(1, next))));
    agent.useCases.networks.releasePort(next);
    await machine.clock.advance(1);
    expect(ports().used).toBe(0);
  });

  it('are free again when nobody claims them for ten minutes', async () => {
    const port = await assign();
    await machine.clock.advance(9 * MINUTE_MS);
    const second = await assign();
    await machine.clock.advance(MINUTE_MS);
    await assign();
    await machine.clock.advance(1);
    expect(machine.ports.memory.held.has(port)).toBe(false);
    expect(machine.ports.memory.held.has(second)).toBe(true);
    expect(ports().used).toBe(2);
  });

  it('on the network of the host are what services listen on', async () => {
    const port = await assign();
    const cluster = {
      ...mapped(1, port).cluster,
      networkConfig: { mode: 'host' },
      sshPortMapping: {
        [`node-${kernelIdOf(1)}`]: ['10.0.0.1', port],
        [`node-${kernelIdOf(2)}`]: ['10.0.0.2', 30_001],
        named: ['node.example', 30_002],
        'no name;': ['10.0.0.3', 1],
      },
    } as const;
    // The runner of the fake machine is found by published ports: this one never answers.
    void machine.finish(outcomeOf(agent.create(member(1, { cluster, preopenPorts: [8080] }))));
    await machine.clock.advance(100);
    const { spec } = machine.engine.containers()[0]!;
    expect(spec).toMatchObject({
      network: { name: 'host', aliases: [] },
      ports: [],
      extraHosts: [`node-${kernelIdOf(1)}:10.0.0.1`, `node-${kernelIdOf(2)}:10.0.0.2`],
    });
    const services = agent.useCases.getKernel(kernelIdOf(1)).servicePorts;
    expect(services.find(({ name }) => name === 'sshd')).toMatchObject({ containerPorts: [port], hostPorts: [port] });
    for (const service of services) expect(service.containerPorts).toEqual(service.hostPorts);
    const file = machine.scratch.scratches.get(kernelIdOf(1))?.get('config/intrinsic-ports.json')?.data;
    const intrinsic = JSON.parse(file ?? '') as Record<string, number>;
    expect(Object.keys(intrinsic)).toEqual(['replin', 'replout', 'sshd']);
    expect(intrinsic['sshd']).toBe(port);
    await machine.finish(agent.destroy(kernelIdOf(1)));
    expect(ports().used).toBe(0);
  });
});
