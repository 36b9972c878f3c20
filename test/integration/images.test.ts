import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AgentEvent, AgentEventName } from '../../src/domain/event/agent-event.js';
import type { ImageRequest, RegistryCredentials } from '../../src/domain/kernel/kernel-spec.js';
import type { CommitRequest, CreatedKernel, TaskId } from '../../src/application/use-cases.js';
import { DockerRegistry, hasDockerRegistry } from '../support/docker-registry.js';
import { testImage } from '../support/images.js';
import { docker, LocalAgent } from '../support/local-agent.js';
import { sleep } from '../support/sleep.js';

const TASK_MS = 60_000;
const ENDS: readonly AgentEventName[] = ['bgtask_done', 'bgtask_failed', 'bgtask_cancelled'];

let agent: LocalAgent;
let base: string;
const ownImages = new Set<string>();

beforeAll(async () => {
  base = await testImage('busybox');
  agent = await LocalAgent.start({ agent: (folder) => `image-commit-path = "${join(folder, 'commit')}"` });
});
afterEach(async () => {
  await Promise.all(agent.useCases.listKernels().map(({ kernelId }) => agent.destroy(kernelId)));
  for (const image of ownImages) await docker('rmi', '--force', image).catch(() => undefined);
  ownImages.clear();
  expect(await agent.leftovers()).toEqual([]);
  expect(await docker('images', '--quiet', 'backend.ai-agent/commit')).toBe('');
});
afterAll(() => agent[Symbol.asyncDispose]());

function told(...names: readonly AgentEventName[]): readonly AgentEvent[] {
  return agent.events.map(({ event }) => event).filter(({ name }) => names.includes(name));
}

/** The event that ended a task. */
async function endOf(task: TaskId): Promise<AgentEvent> {
  for (const until = Date.now() + TASK_MS; Date.now() < until;) {
    const end = told(...ENDS).find(({ body }) => 'task_id' in body && body.task_id === task);
    if (end) return end;
    await sleep(20);
  }
  throw new Error('the task has no end');
}

function commitOf({ kernelId }: CreatedKernel, changes: Partial<CommitRequest>): CommitRequest {
  return { kernelId, subfolder: 'tester_example.com', canonical: null, filename: null, labels: {}, ...changes };
}

async function commit(kernel: CreatedKernel, changes: Partial<CommitRequest>) {
  const { taskId, path } = await agent.useCases.images.commit(commitOf(kernel, changes));
  return { end: await endOf(taskId), path };
}

function newName(host?: string): string {
  const name = `${host === undefined ? '' : `${host}/`}bai-test/commit-${randomUUID()}:1`;
  ownImages.add(name);
  return name;
}

describe('a commit', () => {
  it('makes an image of what the kernel holds, of which kernels can be made, while the kernel goes on', async () => {
    const kernel = await agent.create(base);
    const { kernelId } = kernel;
    await agent.run(kernelId, 'echo kept > /tmp/note; state=alive');
    const canonical = newName();
    const labels = {
      'ai.backend.customized-image.name': 'my "first" image\nof $HOME',
      'ai.backend.features': 'batch query uid-match',
    };
    expect((await commit(kernel, { canonical, labels })).end).toMatchObject({ name: 'bgtask_done' });
    const inspected = JSON.parse(await docker('image', 'inspect', canonical)) as {
      RepoTags: string[];
      Config: { Labels: Record<string, string>; Cmd: string[]; Entrypoint: string[] | null };
    }[];
    expect(inspected[0]).toMatchObject({ RepoTags: [canonical], Config: { Labels: labels, Cmd: ['/bin/sh'] } });
    expect(inspected[0]?.Config.Entrypoint ?? []).toEqual([]);
    expect(inspected[0]?.Config.Labels['ai.backend.owner']).toBe('');
    expect((await agent.run(kernelId, 'echo $state')).stdout).toBe('alive\n');

    const child = await agent.create(canonical);
    expect((await agent.run(child.kernelId, 'cat /tmp/note')).stdout).toBe('kept\n');
  });

  it("writes a file that any engine loads, and leaves no image and the running image's name alone", async () => {
    const kernel = await agent.create(base);
    await agent.run(kernel.kernelId, 'echo kept > /tmp/note');
    const before = await docker('images', '--all', '--quiet', '--no-trunc');
    const { end, path } = await commit(kernel, { canonical: base, filename: 'a b.tar.gz' });
    expect(end).toMatchObject({ name: 'bgtask_done' });
    expect(path).toBe('tester_example.com/a b.tar.gz');
    expect((await docker('images', '--all', '--quiet', '--no-trunc')).split('\n').sort()).toEqual(
      before.split('\n').sort(),
    );
    const file = join(agent.settings.imageCommitPath, path ?? '');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const folder = await mkdtemp(join(tmpdir(), 'image-'));
    try {
      await writeFile(join(folder, 'image.tar'), gunzipSync(await readFile(file)));
      const loaded = /sha256:[0-9a-f]{64}/.exec(await docker('load', '--input', join(folder, 'image.tar')))?.[0] ?? '';
      ownImages.add(loaded);
      expect(await docker('run', '--rm', loaded, 'cat', '/tmp/note')).toBe('kept');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('of a kernel that is destroyed meanwhile ends clearly, and leaves nothing', async () => {
    const kernel = await agent.create(base);
    await agent.run(kernel.kernelId, 'dd if=/dev/zero of=/tmp/large bs=1048576 count=200 2>/dev/null');
    const { taskId } = await agent.useCases.images.commit(commitOf(kernel, { filename: 'gone.tar.gz' }));
    await expect(agent.useCases.images.commit(commitOf(kernel, { canonical: base }))).rejects.toMatchObject({
      name: 'ImageCommitError',
    });
    expect(agent.useCases.images.commitStatus(kernel.kernelId, 'tester_example.com')).toBe('ongoing');
    await sleep(100);
    await agent.destroy(kernel.kernelId);
    expect(agent.endsOf(kernel.kernelId)).toHaveLength(1);
    // Where it was depends on the disk: it was done with the container, or says that it lost it.
    const end = await endOf(taskId);
    const message = 'message' in end.body ? end.body.message : '';
    expect(end.name === 'bgtask_done' || /ended while it was being committed/.test(message ?? '')).toBe(true);
    // Neither the commit nor its kernel is there any more.
    expect(() => agent.useCases.images.commitStatus(kernel.kernelId, 'tester_example.com')).toThrow(
      expect.objectContaining({ name: 'KernelNotFoundError' }),
    );
  });
});

it('says of an image in use that it is, and purges it afterwards', async () => {
  const kernel = await agent.create(base);
  const canonical = newName();
  await commit(kernel, { canonical });
  const user = await agent.create(canonical);
  const purge = (force: boolean) =>
    agent.useCases.images.purge(
      [canonical, 'bai-test/none:1'],
      { force, noPrune: false },
      AbortSignal.timeout(TASK_MS),
    );
  const none = { image: 'bai-test/none:1', error: expect.stringContaining('no image') };
  expect(await purge(false)).toEqual([{ image: canonical, error: expect.stringContaining('is using') }, none]);
  await agent.destroy(user.kernelId);
  expect(await purge(true)).toEqual([{ image: canonical, error: null }, none]);
});

describe.runIf(hasDockerRegistry)('a registry with a password', () => {
  let registry: DockerRegistry;
  let from: number;
  beforeEach(async () => {
    registry = await DockerRegistry.start();
    from = agent.events.length;
  });
  afterEach(() => registry[Symbol.asyncDispose]());

  const wrong = { username: 'tester', password: `not-${randomUUID()}` };

  async function push(canonical: string, credentials?: RegistryCredentials): Promise<AgentEvent> {
    return endOf(
      await agent.useCases.images.push({ canonical, isLocal: false, ...(credentials ? { credentials } : {}) }),
    );
  }

  async function check(canonical: string, change: Partial<ImageRequest>): Promise<AgentEvent> {
    const image: ImageRequest = { canonical, isLocal: false, autoPull: 'digest', ...change };
    const ids = await agent.useCases.images.checkAndPull([{ image, project: 'bai-test', registryName: registry.host }]);
    return endOf(ids.get(canonical) ?? '');
  }

  const pulls = () =>
    agent.events.slice(from).flatMap(({ event }) => (event.name.startsWith('image_pull_') ? [event] : []));

  it('gets a committed image, and gives it back', async () => {
    const kernel = await agent.create(base);
    await agent.run(kernel.kernelId, 'echo kept > /tmp/note');
    const canonical = newName(registry.host);
    await commit(kernel, { canonical, labels: { 'ai.backend.kernelspec': '1' } });
    const { credentials } = DockerRegistry;
    expect(await push(canonical, credentials)).toMatchObject({ name: 'bgtask_done' });
    const digest = await docker('image', 'inspect', '--format', '{{.Id}}', canonical);
    await docker('rmi', canonical);

    expect(await check(canonical, { digest, credentials })).toMatchObject({ name: 'bgtask_done' });
    expect(pulls()).toMatchObject([
      { name: 'image_pull_started', body: { image: canonical } },
      {
        name: 'image_pull_finished',
        body: { image: canonical, msg: null, image_ref: { project: 'bai-test', registry: registry.host, tag: '1' } },
      },
    ]);
    expect(await docker('image', 'inspect', '--format', '{{.Id}}', canonical)).toBe(digest);
    expect(await check(canonical, { digest, credentials })).toMatchObject({ name: 'bgtask_done' });
    expect(pulls().at(-1)).toMatchObject({ name: 'image_pull_finished', body: { msg: 'Image already exists' } });

    const child = await agent.create(canonical, {
      image: { canonical, isLocal: false, autoPull: 'digest', digest, credentials },
    });
    expect((await agent.run(child.kernelId, 'cat /tmp/note')).stdout).toBe('kept\n');
  });

  it('refuses who does not know it, and nobody else learns what was tried', async () => {
    const canonical = newName(registry.host);
    await docker('tag', base, canonical);
    for (const credentials of [undefined, wrong]) {
      expect(await push(canonical, credentials)).toMatchObject({
        name: 'bgtask_failed',
        body: {
          message: expect.stringMatching(/could not push image .*(authentication|auth credentials|unauthorized)/),
        },
      });
    }
    await push(canonical, DockerRegistry.credentials);
    await docker('rmi', canonical);
    expect(await check(canonical, { credentials: wrong })).toMatchObject({ name: 'bgtask_failed' });
    expect(pulls()).toMatchObject([
      { name: 'image_pull_started' },
      { name: 'image_pull_failed', body: { msg: expect.stringMatching(/pull image .*(auth|unauthorized)/) } },
    ]);
    const words = JSON.stringify([agent.events, agent.logger.lines]);
    const encoded = Buffer.from(`tester:${wrong.password}`).toString('base64');
    for (const secret of [wrong.password, DockerRegistry.credentials.password, encoded]) {
      expect(words.includes(secret)).toBe(false);
    }
  });

  it('is asked once for many who want the same image', async () => {
    const canonical = newName(registry.host);
    const kernel = await agent.create(base);
    const large = createHash('sha512').update('seed').digest('hex');
    await agent.run(kernel.kernelId, `yes ${large} | head -c 20000000 > /tmp/large`);
    await commit(kernel, { canonical });
    const { credentials } = DockerRegistry;
    await push(canonical, credentials);
    await agent.destroy(kernel.kernelId);
    await docker('rmi', canonical);
    const image: ImageRequest = { canonical, isLocal: false, autoPull: 'tag', credentials };
    const checking = check(canonical, image);
    const kernels = await Promise.all([1, 2].map(() => agent.create(canonical, { image })));
    expect(await checking).toMatchObject({ name: 'bgtask_done' });
    expect(new Set(kernels.map(({ containerId }) => containerId)).size).toBe(2);
    expect(pulls().at(-1)).toMatchObject({ name: 'image_pull_finished' });
  });
});
