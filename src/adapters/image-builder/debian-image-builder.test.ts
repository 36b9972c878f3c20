import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineUnavailable } from '../../domain/error/errors.js';
import { DebianImageBuilder, type BuildProgress } from './debian-image-builder.js';
import { DebianPackages, type DownloadRequest } from './debian-packages.js';

/** Packages that come from nowhere. */
class FakePackages extends DebianPackages {
  constructor(private readonly answer: (request: DownloadRequest) => Promise<readonly string[]>) {
    super();
  }
  override download(request: DownloadRequest): Promise<readonly string[]> {
    return this.answer(request);
  }
}

const never = (request: DownloadRequest) =>
  new Promise<never>((_, reject) => {
    request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
  });

describe('DebianImageBuilder', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'image-builder-'));
  });
  afterEach(async () => {
    expect(await readdir(directory), 'temporary files left').toEqual([]);
    await rm(directory, { recursive: true });
  });
  const request = { reference: 'x:1', packages: ['a'], changes: ['CMD ["a"]'] };
  const call = () => ({ signal: new AbortController().signal });

  it('hands the tar and the changes to the engine and tells its steps in order', async () => {
    const imported: unknown[] = [];
    const engine = {
      async importImage(tar: AsyncIterable<Uint8Array>, reference: string, changes: readonly string[]) {
        let bytes = 0;
        for await (const chunk of tar) bytes += chunk.length;
        imported.push([reference, changes, bytes % 512, bytes > 2048]);
      },
    };
    const steps: BuildProgress[] = [];
    const packages = new FakePackages((r) => {
      r.onPercent?.(40);
      return Promise.resolve([]);
    });
    await new DebianImageBuilder(engine, packages, directory).build(
      { ...request, onProgress: (progress) => steps.push(progress) },
      call(),
    );
    expect(imported).toEqual([['x:1', ['CMD ["a"]'], 0, true]]);
    expect(steps.map(({ step, percent }) => [step, percent])).toEqual([
      ['resolve', 0],
      ['download', 40],
    ]);
  });

  const fine = new FakePackages(() => Promise.resolve([]));

  it("passes the engine's own error on", async () => {
    const engine = { importImage: () => Promise.reject(engineUnavailable('gone')) };
    await expect(new DebianImageBuilder(engine, fine, directory).build(request, call())).rejects.toMatchObject({
      name: 'ContainerEngineUnavailableError',
    });
  });

  it.each([
    [new Error('odd'), 'ImagePullError'],
    [Object.assign(new Error('full'), { code: 'ENOSPC' }), 'StorageError'],
  ])('wraps %s', async (error, name) => {
    const engine = { importImage: () => Promise.reject(error) };
    await expect(new DebianImageBuilder(engine, fine, directory).build(request, call())).rejects.toMatchObject({
      name,
      hint: expect.stringMatching(/./),
    });
  });

  it('ends with its deadline', async () => {
    const builder = new DebianImageBuilder(
      { importImage: () => Promise.resolve() },
      new FakePackages(never),
      directory,
    );
    await expect(builder.build(request, { ...call(), timeoutMs: 50 })).rejects.toMatchObject({
      name: 'TimeoutError',
      status: 504,
    });
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const builder = new DebianImageBuilder(
      { importImage: () => Promise.resolve() },
      new FakePackages(never),
      directory,
    );
    const building = builder.build(request, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(building).rejects.toHaveProperty('name', 'AbortError');
  });
});
