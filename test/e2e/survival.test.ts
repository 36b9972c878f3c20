import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LABELS } from '../../src/domain/kernel/container-labels.js';
import { AgentHome } from '../support/agent-home.js';
import type { Daemon } from '../support/daemon.js';
import { testImage } from '../support/images.js';

interface Created {
  readonly kernel_id: string;
  readonly container_id: string;
  readonly service_ports: readonly { readonly host_ports: readonly number[] }[];
}

const STOP_MS = 3_000;
const MEM = 128 * 1024 * 1024;

let image: string;
let home: AgentHome;
let kernel: Created;

const create = (...options: readonly string[]): Promise<Created> =>
  home.json<Created>('create', '--image', image, '--mem', '128m', ...options);
const print = async (code: string, id = kernel.kernel_id): Promise<string> =>
  (await home.ag('execute', id, '-c', `print(${code})`)).stdout.trim();

beforeAll(async () => {
  image = await testImage('python');
  home = await AgentHome.make();
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

/** The kernel is the one that was there: its state, its books, and nobody was told that it started again. */
async function expectAdopted(daemon: Daemon, value: string): Promise<void> {
  expect(await print('x')).toBe(value);
  expect(await home.json('kernels')).toMatchObject([
    { kernel_id: kernel.kernel_id, state: 'RUNNING', container_id: kernel.container_id },
  ]);
  expect(await home.json('status')).toMatchObject({
    slots: { occupied: { cpu: '1', mem: String(MEM) } },
    ports: { used: 5 },
    kernels: { RUNNING: 1 },
  });
  expect(await home.containers()).toEqual([kernel.container_id]);
  expect(await daemon.story(kernel.kernel_id)).toEqual([]);
  expect(daemon.log.filter(({ level }) => level === 'error')).toEqual([]);
}

describe('an agent that stops and comes back', () => {
  it('SIGTERM stops it in time and leaves the kernel, and the next one adopts it', async () => {
    await using first = await home.startDaemon();
    kernel = await create('--port', '8000');
    await print('"made"', kernel.kernel_id);
    await home.ag('execute', kernel.kernel_id, '-c', 'x = "of the first"');
    const { status, ms } = await first.stop('SIGTERM');
    expect(status).toBe(0);
    expect(ms).toBeLessThan(STOP_MS);
    expect(first.process.stdout).toBe('');
    expect(await home.containers()).toEqual([kernel.container_id]);

    await using second = await home.startDaemon();
    await expectAdopted(second, 'of the first');
  });

  it('SIGINT while code runs in the kernel: the code goes on', async () => {
    await using first = await home.startDaemon();
    const code = 'import time\nx = "before"\nprint("begun")\ntime.sleep(4)\nx = "after"';
    const running = home.start('execute', kernel.kernel_id, '-c', code);
    await running.until(({ stdout }) => stdout.includes('begun'));
    const { status, ms } = await first.stop('SIGINT');
    expect(status).toBe(0);
    expect(ms).toBeLessThan(STOP_MS);
    expect((await running.ended).status).toBe(3);

    await using second = await home.startDaemon();
    await sleep(4_000);
    await expectAdopted(second, 'after');
  });

  it('killed, it is the same', async () => {
    await using first = await home.startDaemon();
    await home.ag('execute', kernel.kernel_id, '-c', 'x = "before the kill"');
    expect((await first.stop('SIGKILL')).status).toBeNull();

    await using second = await home.startDaemon();
    await expectAdopted(second, 'before the kill');
  });
});

it('SIGTERM before the agent is ready is an end like any other', async () => {
  await using process = home.start('start-server');
  await process.until(({ stderr }) => stderr.includes('RPC listens'));
  process.send('SIGTERM');
  const { status, stderr } = await process.ended;
  expect(status).toBe(0);
  expect(stderr).not.toContain('error');
});

describe('what happened while no agent was there', () => {
  it('a kernel whose container died is told terminated once', async () => {
    await using first = await home.startDaemon();
    await first.stop();
    await home.docker.getContainer(kernel.container_id).kill();

    await using second = await home.startDaemon();
    expect(await home.json('kernels')).toEqual([]);
    const ends = (await second.events()).filter(({ name }) => name === 'kernel_terminated');
    expect(ends.map(({ body }) => body)).toEqual([
      expect.objectContaining({ kernel_id: kernel.kernel_id, reason: 'self-terminated' }),
    ]);
    expect(await home.json('status')).toMatchObject({
      slots: { occupied: { cpu: '0', mem: '0' } },
      ports: { used: 0 },
    });
    expect(await home.containers()).toEqual([]);
    expect(await home.scratches()).toEqual([]);
    await second.stop();

    await using third = await home.startDaemon();
    expect(await third.story(kernel.kernel_id)).toEqual([]);
    expect(await readdir(join(home.stateFolder, 'kernels'))).toEqual([]);
  });

  it('a container with our label that nobody knows is removed and told, others are left', async () => {
    const labels = (owner: string): Record<string, string> => ({
      [LABELS.owner]: owner,
      [LABELS.agentId]: owner,
      [LABELS.kernelId]: crypto.randomUUID(),
      [LABELS.sessionId]: crypto.randomUUID(),
    });
    const make = async (owner: string) => {
      const container = await home.docker.createContainer({
        Image: image,
        Cmd: ['sleep', '600'],
        Labels: labels(owner),
        HostConfig: { Init: true },
      });
      await container.start();
      return container;
    };
    const ours = await make(home.agentId);
    const theirs = await make(`${home.agentId}-other`);
    try {
      await using daemon = await home.startDaemon();
      await expect(ours.inspect()).rejects.toMatchObject({ statusCode: 404 });
      expect((await theirs.inspect()).State.Running).toBe(true);
      const ends = (await daemon.events()).filter(({ name }) => name === 'kernel_terminated');
      expect(ends.map(({ body }) => body['reason'])).toEqual(['terminated-unknown-container']);
    } finally {
      await theirs.remove({ force: true });
    }
  });

  it('a kernel whose making was cut off by SIGKILL is undone and told', async () => {
    await using first = await home.startDaemon();
    const creating = home.start('create', '--image', image, '--mem', '128m', '--json');
    await untilContainer();
    await first.stop('SIGKILL');
    await creating.ended;

    await using second = await home.startDaemon();
    expect(await home.json('kernels')).toEqual([]);
    const ends = (await second.events()).filter(({ name }) => name === 'kernel_terminated');
    expect(ends.map(({ body }) => body['reason'])).toEqual(['failed-to-create']);
    expect(await home.containers()).toEqual([]);
    expect(await home.scratches()).toEqual([]);
  });

  it('SIGTERM while a kernel is made: the agent is gone in time, and nothing is left in the end', async () => {
    await using first = await home.startDaemon();
    const creating = home.start('create', '--image', image, '--mem', '128m', '--json');
    await untilContainer();
    const { status, ms } = await first.stop('SIGTERM');
    expect(status).toBe(0);
    expect(ms).toBeLessThan(STOP_MS);
    const { status: told, stderr } = await creating.ended;
    expect(told).toBe(3);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);

    await using second = await home.startDaemon();
    expect(await home.json('kernels')).toEqual([]);
    expect(await home.containers()).toEqual([]);
    expect(await home.scratches()).toEqual([]);
    expect(second.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

/** The moment in which a kernel is half made. */
async function untilContainer(): Promise<void> {
  const until = Date.now() + 30_000;
  while ((await home.containers()).length === 0) {
    if (Date.now() > until) throw new Error('no container was made');
    await sleep(10);
  }
}
