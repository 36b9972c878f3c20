import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CreatedKernel } from '../../src/application/use-cases.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../src/domain/kernel/kernel-spec.js';
import { testImage } from '../support/images.js';
import { docker, LocalAgent, newKernelId } from '../support/local-agent.js';

let agent: LocalAgent;
let python: string;
let network: string;

beforeAll(async () => {
  python = await testImage('python');
  agent = await LocalAgent.start();
  network = `bai-singlenode-${crypto.randomUUID()}`;
});
afterEach(async () => {
  await Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId)));
  await agent.useCases.networks.destroy(network, signal());
  expect(await agent.leftovers()).toEqual([]);
});
afterAll(() => agent[Symbol.asyncDispose]());

const signal = () => AbortSignal.timeout(60_000);

function member(index: number, networkConfig: Record<string, unknown>): Partial<KernelSpec> {
  return {
    clusterRole: index === 1 ? 'main' : 'sub',
    clusterHostname: index === 1 ? 'main1' : `sub${index - 1}`,
    clusterIdx: index,
    cluster: { mode: 'single-node', size: 2, replicas: { main: 1, sub: 1 }, networkConfig },
    resourceSlots: { cpu: '1', mem: '128m' },
  };
}

const output = async (kernelId: KernelId, code: string) => (await agent.run(kernelId, code)).stdout.trim();

describe('kernels of a cluster', () => {
  it('resolve and reach one another by their host names; others do not', async () => {
    await agent.useCases.networks.create(network, signal());
    await agent.useCases.networks.create(network, signal());
    expect(await docker('network', 'ls', '-q', '--filter', `name=${network}`)).toMatch(/^\w+$/);
    const [inspected] = JSON.parse(await docker('network', 'inspect', network)) as {
      Labels: unknown;
      Driver: string;
    }[];
    expect(inspected).toMatchObject({
      Driver: 'bridge',
      Labels: { 'ai.backend.cluster-network': '1', 'ai.backend.owner': agent.settings.agentId },
    });
    const config = { mode: 'bridge', network_name: network };
    const [main, sub] = await Promise.all([1, 2].map((index) => agent.create(python, member(index, config))));
    const serve = `
import socket, threading
server = socket.create_server(('', 5000))
def answer():
    while True:
        peer, _ = server.accept()
        peer.sendall(socket.gethostname().encode())
        peer.close()
threading.Thread(target=answer, daemon=True).start()`;
    for (const { kernelId } of [main!, sub!]) await agent.run(kernelId, serve);
    const ask = (name: string) =>
      `import socket; peer = socket.create_connection(('${name}', 5000), 10); print(peer.recv(99).decode())`;
    expect(await output(main!.kernelId, ask('sub1'))).toBe('sub1');
    expect(await output(sub!.kernelId, ask('main1'))).toBe('main1');
    await expect(agent.useCases.networks.destroy(network, signal())).rejects.toMatchObject({
      ...{ name: 'ContainerEngineConflictError', retryable: true },
      message: expect.stringMatching(/still used/) as string,
    });
    await agent.useCases.restartKernel(sub!.kernelId, signal());
    await agent.run(sub!.kernelId, serve);
    expect(await output(main!.kernelId, ask('sub1'))).toBe('sub1');
    await agent.destroy(sub!.kernelId);
    // A kernel of another session.
    const stranger = await agent.create(python, { ...member(1, {}), clusterHostname: 'stranger' });
    const { stderr, exitCode } = await agent.run(stranger.kernelId, ask('main1'));
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/gaierror|timed out/)]);
    await Promise.all([main!, stranger].map(({ kernelId }) => agent.destroy(kernelId)));
    await agent.useCases.networks.destroy(network, signal());
    await agent.useCases.networks.destroy(network, signal());
    expect(await docker('network', 'ls', '-q', '--filter', `name=${network}`)).toBe('');
  });

  it('whose network is not there are told so, and leave nothing', async () => {
    const lost = agent.create(python, member(1, { mode: 'bridge', network_name: network }));
    await expect(lost).rejects.toThrow(new RegExp(`network ${network} not found`));
  });

  it('on the network of the host have ports of their own', async () => {
    const port = await agent.useCases.networks.assignPort();
    const kernelId = newKernelId();
    const base = member(1, { mode: 'host' });
    const cluster = { ...base.cluster!, sshPortMapping: { [`node-${kernelId}`]: ['127.0.0.1', port] } as const };
    const made: CreatedKernel = await agent.create(python, { ...base, kernelId, cluster });
    expect(await output(kernelId, 'print(6 * 7)')).toBe('42');
    const hosts = `import socket; print(socket.gethostbyname('node-${kernelId}'))`;
    expect(await output(kernelId, hosts)).toBe('127.0.0.1');
    for (const service of made.servicePorts) expect(service.containerPorts).toEqual(service.hostPorts);
    agent.useCases.networks.releasePort(port);
  });
});

describe('destroying', () => {
  it('twice at once ends a kernel once', async () => {
    const { kernelId } = await agent.create(python);
    await Promise.all([agent.destroy(kernelId), agent.destroy(kernelId)]);
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'user-requested' }]);
    expect(await agent.leftovers()).toEqual([]);
  });

  it.each([5, 50, 150, 400])('%i ms after the creation began leaves nothing and is told once', async (ms) => {
    const kernelId = newKernelId();
    const creation = agent.create(python, { kernelId }).then(
      () => 'made',
      (error: unknown) => (error as Error).name,
    );
    await sleep(ms);
    expect(agent.useCases.kernelCare.isCreating(kernelId)).toBe(true);
    await agent.destroy(kernelId);
    expect(await creation).toMatch(/^(made|ContainerStartupCancelledError)$/);
    expect(agent.endsOf(kernelId)).toMatchObject([{ reason: 'user-requested' }]);
    expect(agent.useCases.kernelCare.isCreating(kernelId)).toBe(false);
    expect(await agent.leftovers()).toEqual([]);
  });
});
