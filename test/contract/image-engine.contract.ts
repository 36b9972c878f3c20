import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from '../../src/application/ports/call.js';
import type { ContainerEngine, ContainerSpec } from '../../src/application/ports/container-engine.port.js';
import { shellSpec, testLabel } from '../support/container-specs.js';
import { filesOfTar, tarOf } from '../support/tar.js';
import { type EngineHarness, programs } from './container-engine.contract.js';

const call = (): Call => ({ signal: new AbortController().signal });

/** Declares the part of the contract of ContainerEngine that is about images. */
export function imageEngineContract(title: string, setup: () => Promise<EngineHarness>): void {
  describe(`images of ContainerEngine: ${title}`, () => {
    let harness: EngineHarness;
    let engine: ContainerEngine;
    const made = new Set<string>();

    beforeAll(async () => {
      harness = await setup();
      engine = harness.engine;
    });
    afterAll(async () => {
      for (const name of made) await engine.removeContainer(name, call());
      await harness.dispose();
    });

    const spec = (script: string, change: Partial<ContainerSpec> = {}): ContainerSpec => {
      const wanted = shellSpec(harness.image, script, change);
      made.add(wanted.name);
      return wanted;
    };
    const run = async (script: string, change: Partial<ContainerSpec> = {}): Promise<string> => {
      const id = await engine.createContainer(spec(script, change), call());
      await engine.startContainer(id, call());
      return id;
    };

    it('finds an image and says undefined for one that is not there', async () => {
      const image = await engine.inspectImage(harness.image, call());
      expect(image).toMatchObject({ os: 'linux', architecture: expect.stringMatching(/^(x86_64|aarch64)$/) });
      expect(image?.id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(image?.tags).toContain(harness.image);
      expect(await engine.inspectImage('bai-test/none:1', call())).toBeUndefined();
      const listed = await engine.listImages(call());
      expect(listed.find(({ id }) => id === image?.id)?.tags).toContain(harness.image);
    });

    it('imports a root file system with labels and commands, and removes it, also twice', async () => {
      const reference = `bai-test/import-${randomUUID()}:1`;
      const changes = ['LABEL ai.backend.kernelspec=1', 'ENV A=b', 'CMD ["/hello"]', 'USER 1000'];
      await engine.importImage(tarOf({ hello: 'x' }), reference, changes, call());
      const image = await engine.inspectImage(reference, call());
      expect(image).toMatchObject({
        labels: { 'ai.backend.kernelspec': '1' },
        cmd: ['/hello'],
        user: '1000',
        tags: [reference],
      });
      expect(image?.env).toContain('A=b');
      await engine.removeImage(reference, {}, call());
      expect(await engine.inspectImage(reference, call())).toBeUndefined();
      await engine.removeImage(reference, {}, call());
    });

    it('commits a running container, with labels of any characters, and the container goes on', async () => {
      const reference = `bai-test/commit-${randomUUID()}:1`;
      const id = await run(programs.sleep, { labels: { [testLabel]: '1', own: 'kept', changed: 'old' } });
      const labels = {
        changed: 'new',
        'ai.backend.customized-image.name': 'my "best" image, it\'s $HOME \\ \\n `x` {{.}} ü 漢',
        'two lines': 'first\nsecond\t=a=b',
        empty: '',
      };
      const commit = { reference, labels, entrypoint: [], cmd: ['/bin/sh', '-c', 'true'] };
      const imageId = await engine.commitContainer(id, commit, call());
      const image = await engine.inspectImage(reference, call());
      expect(image).toMatchObject({ id: imageId, tags: [reference], entrypoint: [], cmd: commit.cmd });
      expect(image?.labels).toMatchObject({ ...labels, own: 'kept', [testLabel]: '1' });
      const listed = (await engine.listImages(call())).find((each) => each.id === imageId);
      expect(listed).toMatchObject({ id: imageId, tags: [reference], digests: [], labels: image?.labels });
      expect(await engine.inspectContainer(id, call())).toMatchObject({ state: 'running' });
      await engine.removeContainer(id, call());
      await engine.removeImage(reference, {}, call());
      expect(await engine.inspectImage(imageId, call())).toBeUndefined();
    });

    it('commits without a name, names, renames, exports, and removes name by name', async () => {
      const id = await run(programs.sleep);
      const commit = { labels: {}, entrypoint: ['/bin/sh'], cmd: [] };
      const imageId = await engine.commitContainer(id, commit, call());
      await engine.removeContainer(id, call());
      expect(await engine.inspectImage(imageId, call())).toMatchObject({ tags: [], entrypoint: ['/bin/sh'] });
      const files = await filesOfTar(engine.exportImage(imageId, call()));
      const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? 'null') as { RepoTags: unknown }[];
      expect(manifest).toHaveLength(1);
      expect(manifest[0]?.RepoTags).toBeNull();
      const names = [1, 2].map((number) => `bai-test/named-${randomUUID()}:${number}`);
      for (const name of names) await engine.tagImage(imageId, name, call());
      expect(new Set((await engine.inspectImage(imageId, call()))?.tags)).toEqual(new Set(names));
      await engine.removeImage(names[0]!, {}, call());
      expect(await engine.inspectImage(imageId, call())).toMatchObject({ tags: [names[1]] });
      await engine.removeImage(names[1]!, {}, call());
      expect(await engine.inspectImage(imageId, call())).toBeUndefined();
    });

    it('keeps an image that is in use', async () => {
      const reference = `bai-test/used-${randomUUID()}:1`;
      const origin = await run(programs.sleep);
      const commit = { reference, labels: {}, entrypoint: [], cmd: ['/bin/sh'] };
      await engine.commitContainer(origin, commit, call());
      await engine.removeContainer(origin, call());
      const user = await engine.createContainer(spec(programs.sleep, { image: reference }), call());
      await expect(engine.removeImage(reference, {}, call())).rejects.toMatchObject({
        name: 'ContainerEngineConflictError',
      });
      await engine.removeContainer(user, call());
      await engine.removeImage(reference, { force: true, noPrune: true }, call());
      expect(await engine.inspectImage(reference, call())).toBeUndefined();
    });

    it('fails where there is no image or container to work on', async () => {
      const none = 'bai-test/none:1';
      const gone = '0'.repeat(64);
      const commit = { labels: {}, entrypoint: [], cmd: [] };
      for (const [attempt, name] of [
        [() => engine.tagImage(none, 'bai-test/other:1', call()), 'ImageNotAvailable'],
        [() => engine.pushImage(none, {}, call()), 'ImageNotAvailable'],
        [() => filesOfTar(engine.exportImage(none, call())), 'ImageNotAvailable'],
        [() => engine.commitContainer(gone, commit, call()), 'ContainerEngineError'],
      ] as const) {
        await expect(attempt()).rejects.toMatchObject({ name });
      }
    });

    it('fails with the cause if the archive to import breaks off', async () => {
      const reference = `bai-test/broken-${randomUUID()}:1`;
      // eslint-disable-next-line @typescript-eslint/require-await -- an iterable that fails while it is read
      const broken = (async function* () {
        yield Buffer.alloc(512);
        throw new Error('the disk is gone');
      })();
      await expect(engine.importImage(broken, reference, [], call())).rejects.toMatchObject({
        name: 'ContainerEngineError',
      });
      expect(await engine.inspectImage(reference, call())).toBeUndefined();
    });

    it('refuses a container of an image that is not there', async () => {
      const missing = spec('true', { image: 'bai-test/none:1' });
      await expect(engine.createContainer(missing, call())).rejects.toMatchObject({ name: 'ImageNotAvailable' });
    });
  });
}
