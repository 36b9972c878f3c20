import 'reflect-metadata';
import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, outcomeOf } from '../../../test/support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import { settle } from '../../../test/support/manual-clock.js';
import { engineError, imageNotAvailable, storageFailure } from '../../domain/error/errors.js';
import { LABELS } from '../../domain/kernel/container-labels.js';
import type { AgentEventName } from '../../domain/event/agent-event.js';
import type { ImageRequest } from '../../domain/kernel/kernel-spec.js';
import type { CommitRequest, PullRequest } from '../use-cases.js';

const IMAGE = 'r.example.com/stable/python:3.12';
const IMAGE_REF = {
  ...{ name: 'python', project: 'stable', tag: '3.12', registry: 'r.example.com' },
  ...{ architecture: 'x86_64', is_local: false },
};

describe('images', () => {
  let machine: FakeMachine;
  let agent: FakeAgent;

  beforeEach(async () => {
    machine = new FakeMachine();
    machine.engine.registry.add(IMAGE);
    agent = await machine.boot();
  });

  const signal = new AbortController().signal;
  const told = (...names: AgentEventName[]) => machine.told.filter(({ name }) => names.includes(name));
  const ofPulls = () => told('image_pull_started', 'image_pull_finished', 'image_pull_failed');
  const ends = () => told('bgtask_done', 'bgtask_failed', 'bgtask_cancelled');
  /** Until all tasks are over. */
  const finish = async () => {
    for (let rounds = 0; rounds < 2_000 && machine.tasks.records.size > 0; rounds += 1)
      await machine.clock.advance(5_000);
    await settle();
  };

  describe('checkAndPull', () => {
    const ask = (changes: Partial<ImageRequest> = {}, more: Partial<PullRequest> = {}): PullRequest => ({
      image: { canonical: IMAGE, isLocal: false, autoPull: 'tag', ...changes },
      ...{ project: 'stable', registryName: 'r.example.com' },
      ...more,
    });
    const check = async (...requests: PullRequest[]) => {
      const ids = await agent.useCases.images.checkAndPull(requests);
      await finish();
      return ids;
    };

    it('pulls what is missing, with progress, and tells start and end by the name in its parts', async () => {
      const ids = await check(ask());
      const task = ids.get(IMAGE);
      const body = { image: IMAGE, agent_id: 'i-fake', image_ref: IMAGE_REF, timestamp: Date.UTC(2026, 0, 1) / 1000 };
      expect(ofPulls()).toEqual([
        { name: 'image_pull_started', body },
        { name: 'image_pull_finished', body: { ...body, msg: null } },
      ]);
      expect(ends()).toEqual([{ name: 'bgtask_done', body: { task_id: task, message: null } }]);
      expect(machine.engine.images.get(IMAGE)).toBeDefined();
    });

    it.each([
      ['present, by tag', ask()],
      ['present, and never to be pulled', ask({ autoPull: 'none' })],
      ['a local image, which is not looked for', ask({ canonical: 'here/only:1', isLocal: true })],
    ])('says at once that there is nothing to do: %s', async (_, request) => {
      machine.engine.images.add(IMAGE);
      await check(request);
      expect(ofPulls()).toMatchObject([{ name: 'image_pull_finished', body: { msg: 'Image already exists' } }]);
      expect(ends()).toMatchObject([{ name: 'bgtask_done' }]);
    });

    it('pulls what is here under another digest', async () => {
      machine.engine.images.add(IMAGE, { labels: { old: '1' } });
      const digest = machine.engine.registry.get(IMAGE)?.id ?? '';
      await check(ask({ autoPull: 'digest', digest }));
      expect(ofPulls().map(({ name }) => name)).toEqual(['image_pull_started', 'image_pull_finished']);
      await check(ask({ autoPull: 'digest', digest }));
      expect(ofPulls().at(-1)).toMatchObject({ name: 'image_pull_finished', body: { msg: 'Image already exists' } });
    });

    it.each([
      ['missing, and not to be pulled', ask({ autoPull: 'none' }), /not on this machine/, []],
      ['not in the registry', ask({ canonical: 'r.example.com/stable/none:1' }), /no image/, ['image_pull_started']],
      ['for other machines', ask({ architecture: 'aarch64' }), /is for aarch64/, []],
    ])('tells a failure with its reason: %s', async (_, request, reason, before) => {
      await check(request);
      const { canonical } = request.image;
      expect(ofPulls().map(({ name }) => name)).toEqual([...before, 'image_pull_failed']);
      expect(ofPulls().at(-1)?.body).toMatchObject({ image: canonical, msg: expect.stringMatching(reason) });
      expect(ends()).toMatchObject([{ name: 'bgtask_failed', body: { message: expect.stringMatching(reason) } }]);
      expect(agent.useCases.images.isPulling(canonical)).toBe(false);
    });

    it('tells a failure when the engine can not even be asked', async () => {
      machine.engine.fail('inspectImage', { with: 'error' });
      await check(ask());
      expect(ofPulls().map(({ name }) => name)).toEqual(['image_pull_failed']);
    });

    it('tells a time-out in the words that Managers know', async () => {
      machine.engine.fail('pullImage', { with: 'hang' });
      await check(ask());
      expect(ofPulls().at(-1)).toMatchObject({ name: 'image_pull_failed', body: { msg: 'timeout (s:600.0)' } });
    });

    it('goes by the name alone where the project does not fit it', async () => {
      await check(ask({}, { project: 'another' }));
      expect(ofPulls().map(({ body }) => 'image_ref' in body && body.image_ref)).toEqual([null, null]);
    });

    it('answers the same question by the same task as long as it goes on, and another by a pull in common', async () => {
      machine.engine.fail('pullImage', { with: 'slow', ms: 60_000 });
      const ids = await agent.useCases.images.checkAndPull([ask()]);
      await machine.clock.advance(1_000);
      expect(agent.useCases.images.isPulling(IMAGE)).toBe(true);
      expect(await agent.useCases.images.checkAndPull([ask()])).toEqual(ids);
      const other = await agent.useCases.images.checkAndPull([ask({ architecture: 'x86_64' })]);
      expect(other).not.toEqual(ids);
      const creating = agent.create(kernelSpec({ image: ask().image }));
      await machine.finish(creating);
      await finish();
      expect(machine.engine.calls.filter(({ method }) => method === 'pullImage')).toHaveLength(1);
      expect(ofPulls().map(({ name }) => name)).toEqual([
        ...['image_pull_started', 'image_pull_started'],
        ...['image_pull_finished', 'image_pull_finished'],
      ]);
      expect(machine.eventsOf(KERNEL_ID)).toContain('kernel_pulling');
      expect(agent.useCases.images.isPulling(IMAGE)).toBe(false);
      expect(await agent.useCases.images.checkAndPull([ask()])).not.toEqual(ids);
    });

    it("ends a destroyed kernel's wait and not the pull that others wait for", async () => {
      machine.engine.fail('pullImage', { with: 'slow', ms: 60_000 });
      const creating = outcomeOf(agent.create(kernelSpec({ image: ask().image })));
      await machine.clock.advance(1_000);
      await agent.useCases.images.checkAndPull([ask()]);
      await machine.clock.advance(1_000);
      await machine.finish(agent.destroy(KERNEL_ID));
      expect(await machine.finish(creating)).toBeInstanceOf(Error);
      await finish();
      expect(machine.engine.calls.filter(({ method }) => method === 'pullImage')).toHaveLength(1);
      expect(ofPulls().at(-1)).toMatchObject({ name: 'image_pull_finished', body: { msg: null } });
    });

    it('tries with its own credentials what those of another were refused', async () => {
      const refusal = imageNotAvailable('unauthorized');
      machine.engine.fail('pullImage', { with: 'slow', ms: 10_000 });
      const pull = machine.engine.pullImage.bind(machine.engine);
      machine.engine.pullImage = async (reference, options, call) => {
        await pull(reference, { ...options, onProgress: () => undefined }, call);
        if (options.credentials?.password !== 'right') {
          machine.engine.images.remove(reference);
          throw refusal;
        }
      };
      await agent.useCases.images.checkAndPull([ask({ credentials: { username: 'u', password: 'wrong' } })]);
      await machine.clock.advance(1);
      const right = ask({ credentials: { username: 'u', password: 'right' }, architecture: 'x86_64' });
      await check(right);
      expect(ofPulls().map(({ name }) => name)).toEqual([
        ...['image_pull_started', 'image_pull_started', 'image_pull_failed', 'image_pull_finished'],
      ]);
      expect(JSON.stringify([machine.told, machine.logger.lines])).not.toMatch(/right|wrong/);
    });

    it('cancels the task and fails no session when the agent stops', async () => {
      machine.engine.fail('pullImage', { with: 'hang' });
      await agent.useCases.images.checkAndPull([ask()]);
      await machine.clock.advance(1_000);
      await machine.finish(agent.stopTasks());
      expect(ofPulls().map(({ name }) => name)).toEqual(['image_pull_started']);
      expect(ends()).toMatchObject([{ name: 'bgtask_cancelled', body: { message: 'Task cancelled' } }]);
      expect(agent.useCases.images.isPulling(IMAGE)).toBe(false);
    });
  });

  describe('push', () => {
    it('pushes with progress, or does nothing for a local image', async () => {
      machine.engine.images.add('r.example.com/new:1');
      await agent.useCases.images.push({ canonical: 'here:1', isLocal: true });
      const credentials = { username: 'u', password: 'secret' };
      await agent.useCases.images.push({ canonical: 'r.example.com/new:1', isLocal: false, credentials });
      await finish();
      expect(ends().map(({ name }) => name)).toEqual(['bgtask_done', 'bgtask_done']);
      expect(machine.engine.registry.get('r.example.com/new:1')).toBeDefined();
      const pushes = machine.engine.calls.filter(({ method }) => method === 'pushImage');
      expect(pushes.map(({ args }) => args[1])).toMatchObject([{ credentials }]);
      expect(JSON.stringify([machine.told, machine.logger.lines])).not.toContain('secret');
    });

    it('fails with the reason, and at once for what is no name', async () => {
      expect(() => agent.useCases.images.push({ canonical: 'NO NAME', isLocal: false })).toThrow(/image_ref/);
      await agent.useCases.images.push({ canonical: 'r.example.com/none:1', isLocal: false });
      await finish();
      expect(ends()).toMatchObject([{ name: 'bgtask_failed', body: { message: expect.stringContaining('no image') } }]);
    });
  });

  describe('purge', () => {
    it('removes each on its own, in the order asked, and says what stands in the way', async () => {
      machine.engine.images.add('a:1');
      machine.engine.images.add('b:1');
      await machine.finish(agent.create());
      machine.engine.fail('removeImage', { with: 'error', error: engineError('the engine refused') });
      const options = { force: true, noPrune: true };
      const names = ['b:1', 'python:3.11', 'none:1', 'a:1'];
      const purged = await machine.finish(agent.useCases.images.purge(names, options, signal));
      expect(purged).toEqual([
        { image: 'b:1', error: 'the engine refused' },
        { image: 'python:3.11', error: expect.stringContaining('in use') },
        { image: 'none:1', error: expect.stringContaining('no image none:1') },
        { image: 'a:1', error: null },
      ]);
      expect(machine.engine.images.get('a:1')).toBeUndefined();
      expect(machine.engine.calls.findLast(({ method }) => method === 'removeImage')?.args).toEqual(['a:1', options]);
    });

    it('refuses a list without end', async () => {
      const names = Array.from({ length: 1_001 }, (_, number) => `n${number}:1`);
      await expect(agent.useCases.images.purge(names, { force: false, noPrune: false }, signal)).rejects.toMatchObject({
        name: 'InvalidArgumentError',
      });
    });
  });

  describe('commit', () => {
    const TARGET = 'r.example.com/u/custom:1';
    const wish = (changes: Partial<CommitRequest> = {}): CommitRequest => ({
      ...{ kernelId: KERNEL_ID, subfolder: 'u_example.com', canonical: TARGET, filename: null, labels: {} },
      ...changes,
    });
    const ofKernel = (status = agent.useCases.images) => status.commitStatus(KERNEL_ID, 'u_example.com');
    const images = () => machine.engine.images.all().flatMap(({ tags }) => (tags.length > 0 ? tags : ['untagged']));

    beforeEach(async () => {
      machine.engine.images.add('python:3.11', {
        entrypoint: ['/own'],
        cmd: ['python3'],
        labels: { [LABELS.servicePorts]: 'jupyter:http:8080' },
      });
      await machine.finish(agent.create());
    });

    it('makes an image of the name and labels asked for, which nobody takes for a kernel', async () => {
      const labels = { 'ai.backend.customized-image.name': 'my "image"', 'ai.backend.features': 'batch query' };
      const { taskId, path } = await agent.useCases.images.commit(wish({ labels }));
      expect(path).toBeNull();
      expect(ofKernel()).toBe('ongoing');
      expect(agent.useCases.images.commitStatus(KERNEL_ID, 'other')).toBe('ready');
      await finish();
      expect(ends()).toEqual([{ name: 'bgtask_done', body: { task_id: taskId, message: null } }]);
      const image = machine.engine.images.get(TARGET);
      expect(image).toMatchObject({ tags: [TARGET], entrypoint: ['/own'], cmd: ['python3'] });
      expect(image?.labels).toMatchObject({ ...labels, [LABELS.servicePorts]: 'jupyter:http:8080' });
      expect(image?.labels[LABELS.owner]).toBe('');
      expect(image?.labels[LABELS.kernelId]).toBe('');
      expect(images().sort()).toEqual(['python:3.11', TARGET]);
      expect(ofKernel()).toBe('ready');
      expect(agent.useCases.getKernel(KERNEL_ID).state).toBe('RUNNING');
    });

    it("writes a file and keeps no image, least of all under the running image's name", async () => {
      const before = machine.engine.images.get('python:3.11');
      const { path } = await agent.useCases.images.commit(wish({ canonical: 'python:3.11', filename: 'a.tar.gz' }));
      await finish();
      expect(path).toBe('u_example.com/a.tar.gz');
      expect([...machine.commits.files.keys()]).toEqual([path]);
      expect(machine.commits.files.get('u_example.com/a.tar.gz')?.toString()).toContain('"RepoTags":null');
      expect(machine.engine.images.all()).toEqual([before]);
    });

    it('refuses at once what can not be done', async () => {
      const { images: commits } = agent.useCases;
      await expect(commits.commit(wish({ filename: '../x' }))).rejects.toMatchObject({ field: 'filename' });
      const stranger = kernelSpec().sessionId as unknown as CommitRequest['kernelId'];
      await expect(commits.commit(wish({ kernelId: stranger }))).rejects.toMatchObject({ name: 'KernelNotFoundError' });
      await commits.commit(wish());
      await expect(commits.commit(wish())).rejects.toMatchObject({
        name: 'ImageCommitError',
        message: expect.stringContaining('already being committed'),
      });
      await finish();
      await commits.commit(wish());
      await finish();
      expect(ends().map(({ name }) => name)).toEqual(['bgtask_done', 'bgtask_done']);
    });

    it('leaves nothing when the disk is full, and says so', async () => {
      machine.commits.failure = storageFailure('no space left on device');
      await agent.useCases.images.commit(wish({ filename: 'a.tar.gz' }));
      await finish();
      expect(ends()).toMatchObject([{ name: 'bgtask_failed', body: { message: expect.stringContaining('no space') } }]);
      expect(images()).toEqual(['python:3.11']);
      expect(machine.commits.files.size + machine.commits.unfinished.size).toBe(0);
      expect(ofKernel()).toBe('ready');
    });

    it('fails with a clear word when the kernel is destroyed meanwhile', async () => {
      machine.engine.fail('commitContainer', { with: 'slow', ms: 5_000 });
      await agent.useCases.images.commit(wish());
      await machine.clock.advance(1_000);
      await machine.finish(agent.destroy(KERNEL_ID));
      await finish();
      expect(ends()).toMatchObject([
        { name: 'bgtask_failed', body: { message: expect.stringContaining('ended while it was being committed') } },
      ]);
      expect(await machine.leftovers()).toEqual([]);
      expect(images()).toEqual(['python:3.11']);
    });

    it('gives up at its deadline', async () => {
      machine = new FakeMachine({ timeouts: { ...machine.settings.timeouts, commitMs: 10_000 } });
      agent = await machine.boot();
      await machine.finish(agent.create());
      machine.engine.fail('commitContainer', { with: 'hang' });
      await agent.useCases.images.commit(wish());
      await finish();
      expect(ends()).toMatchObject([
        { name: 'bgtask_failed', body: { message: expect.stringContaining('not committed within 10 s') } },
      ]);
    });

    it('leaves nothing when the agent stops', async () => {
      machine.engine.fail('commitContainer', { with: 'lost-answer' });
      machine.engine.fail('commitContainer', { with: 'hang' });
      await agent.useCases.images.commit(wish());
      await finish();
      await agent.useCases.images.commit(wish());
      await machine.clock.advance(100);
      await machine.finish(agent.stopTasks());
      expect(ends().map(({ name }) => name)).toEqual(['bgtask_failed', 'bgtask_cancelled']);
      expect(images()).toEqual(['python:3.11']);
    });
  });
});
