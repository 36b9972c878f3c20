import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerLabels } from '../../src/domain/kernel/container-labels.js';
import type { KernelId, SessionId } from '../../src/domain/kernel/kernel-id.js';
import { AgentHome, type AgentHomeOptions } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';
import { listenOn } from '../support/tcp-listener.js';

let image: string;
let home: AgentHome;
let daemon: Daemon;
let kernelId: string;

beforeAll(async () => {
  image = await testImage('python');
  home = await AgentHome.make();
  daemon = await home.startDaemon();
  kernelId = await createIn(home);
  await home.ag('execute', kernelId, '-c', 'x = 41');
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

async function createIn(place: AgentHome): Promise<string> {
  const options = ['--image', image, '--mem', '128m'];
  return (await place.json<{ kernel_id: string }>('create', ...options)).kernel_id;
}

/** Its kernel, its answer, and not one event more than before. */
async function expectUntouched(before: number): Promise<void> {
  expect(daemon.process.isRunning).toBe(true);
  expect((await home.ag('execute', kernelId, '-c', 'print(x + 1)')).stdout).toBe('42\n');
  const since = await daemon.events(before);
  expect(since.filter(({ name }) => /kernel_(term|start)|agent_/.test(name) && name !== 'agent_heartbeat')).toEqual([]);
}

describe('a second agent that can not be beside the first says so and leaves', () => {
  const rivals: readonly (readonly [string, () => AgentHomeOptions, RegExp, RegExp])[] = [
    [
      'with the same state folder',
      () => ({ stateFolder: home.stateFolder }),
      /another agent \(process \d+\) uses the state folder/,
      /state folder of its own/,
    ],
    [
      'with the same id, which would take our containers for its own',
      () => ({ agentId: home.agentId }),
      /another agent with the id \S+ runs on this machine/,
      /id of its own/,
    ],
    ['on the same RPC port', () => ({ rpcPort: home.rpcPort }), /RPC address \S+ is already in use/, /another port/],
    [
      'on the same HTTP port',
      () => ({ httpPort: home.httpPort }),
      /HTTP address \S+ is in use by another program/,
      /service-addr/,
    ],
  ];

  it.each(rivals)('%s', async (_, options, cause, remedy) => {
    const before = (await daemon.events()).at(-1)!.id;
    await using rival = await AgentHome.make({ scratchRoot: home.scratchRoot, ...options() });
    const { status, stdout, stderr } = await rival.ag('start-server');
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    const [error = '', advice = '', ...rest] = lines.filter((line) => !line.startsWith('{'));
    expect(error).toMatch(cause);
    expect(advice).toMatch(remedy);
    expect(rest).toEqual([]);
    await expectUntouched(before);
  });
});

it('an agent of another make with the same id, which knows no locks, keeps its kernels', async () => {
  const before = (await daemon.events()).at(-1)!.id;
  await using foreign = await listenOn('127.0.0.1');
  await using rival = await AgentHome.make({ rpcPort: foreign.port });
  const container = await rival.docker.createContainer({
    Image: image,
    Cmd: ['sleep', '600'],
    Labels: containerLabels({
      ...{ agentId: rival.agentId, kernelId: randomUUID() as KernelId, sessionId: randomUUID() as SessionId },
      ...{ blockServicePorts: false, servicePorts: '', preopenPorts: [] },
    }),
  });
  await container.start();
  const { status, stderr } = await rival.ag('start-server');
  expect(status).toBe(3);
  expect(stderr).toMatch(/RPC address \S+ is already in use/);
  expect((await container.inspect()).State.Running).toBe(true);
  await expectUntouched(before);
});

it('two agents with different ids share a scratch root and a machine', async () => {
  const before = (await daemon.events()).at(-1)!.id;
  await using neighbour = await AgentHome.make({
    scratchRoot: home.scratchRoot,
    agent: () => 'sync-container-lifecycles.interval = 0.5',
  });
  await using other = await neighbour.startDaemon();
  const theirs = await createIn(neighbour);
  expect((await neighbour.json<{ kernel_id: string }[]>('kernels')).map((kernel) => kernel.kernel_id)).toEqual([
    theirs,
  ]);
  expect(await home.scratches()).toEqual(expect.arrayContaining([kernelId, theirs]));
  await neighbour.ag('execute', theirs, '-c', 'x = 1');
  await expectUntouched(before);

  // A new start looks at everything there is, and its reconciler has passed a few times.
  await other.stop('SIGKILL');
  await using again = await neighbour.startDaemon();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect((await neighbour.ag('execute', theirs, '-c', 'print(x)')).stdout).toBe('1\n');
  await neighbour.ag('destroy', theirs);
  expect(await again.story(theirs)).toEqual(['kernel_terminated']);
  expect((await home.scratches()).filter((name) => !name.startsWith('.'))).toEqual([kernelId]);
  await expectUntouched(before);
});
