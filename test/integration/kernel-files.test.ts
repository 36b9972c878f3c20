import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import { testImage, type TestImageKind } from '../support/images.js';
import { docker, LocalAgent } from '../support/local-agent.js';
import { filesOfTar } from '../support/tar.js';

const SECRET = 'only for the host';
/** Of the maze of links; another one is another maze. */
const SEED = 4;

let agent: LocalAgent;
let folder: string;

beforeAll(async () => {
  agent = await LocalAgent.start();
  folder = await mkdtemp(join(tmpdir(), 'backend-ai-vfolders-'));
  for (const name of ['data', 'shared', 'private']) await mkdir(join(folder, name), { mode: 0o777 });
  await writeFile(join(folder, 'shared', 'given'), 'from elsewhere');
  await writeFile(join(folder, 'private', 'secret'), SECRET);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const signal = () => AbortSignal.timeout(30_000);
const files = () => agent.useCases.files;
const upload = (kernelId: KernelId, path: string, text: string) =>
  files().upload(kernelId, path, Buffer.from(text), signal());
const download = async (kernelId: KernelId, path: string) =>
  Buffer.from(await files().downloadFile(kernelId, path, signal())).toString();
const archive = async (kernelId: KernelId, path: string) => {
  const tar = await files().downloadArchive(kernelId, path, signal());
  const stream = (async function* () {
    yield await Promise.resolve(tar);
  })();
  return filesOfTar(stream);
};
const vfolder = (name: string, permission: 'ro' | 'rw') =>
  ({ name, hostPath: join(folder, name), kernelPath: name, permission, usageMode: 'general' }) as const;

describe.each(['python', 'busybox'] satisfies TestImageKind[])('files of a running kernel of image %s', (kind) => {
  let kernelId: KernelId;
  let containerId: string;

  const inside = (script: string) => docker('exec', '-u', '9001:9001', containerId, 'sh', '-c', script);

  beforeAll(async () => {
    const mounts = [vfolder('data', 'rw'), vfolder('shared', 'ro')];
    const identity = { uid: 9001, mainGid: 9001, supplementaryGids: [] };
    ({ kernelId, containerId } = await agent.create(await testImage(kind), { mounts, identity }));
  });
  afterAll(() => agent.destroy(kernelId));

  it('are seen inside as the user\u2019s own, and from outside as they were written inside', async () => {
    await upload(kernelId, 'new/folder/file.txt', 'from outside');
    expect(await inside('cat new/folder/file.txt; stat -c "%u %g %a" new new/folder new/folder/file.txt')).toBe(
      'from outside9001 9001 755\n9001 9001 755\n9001 9001 644',
    );
    await inside('echo inside > new/folder/file.txt && echo more > "new/folder/ü b" && chmod 600 "new/folder/ü b"');
    expect(await download(kernelId, '/home/work/new/folder/file.txt')).toBe('inside\n');
    expect([...(await archive(kernelId, 'new'))].sort()).toEqual([
      ['new/folder/file.txt', Buffer.from('inside\n')],
      ['new/folder/ü b', Buffer.from('more\n')],
    ]);
    const listing = await files().list(kernelId, 'new/folder', signal());
    expect(listing).toMatchObject({
      errors: '',
      files: [
        { name: 'file.txt', mode: '-rw-r--r--', sizeBytes: 7 },
        { name: 'ü b', mode: '-rw-------', sizeBytes: 5 },
      ],
    });
    expect(Math.abs(listing.files[0]!.modifiedAtMs - Date.now())).toBeLessThan(60_000);
  });

  it('in vfolders are those of the vfolder', async () => {
    expect(await download(kernelId, 'shared/given')).toBe('from elsewhere');
    await upload(kernelId, `data/${kind}/result`, 'kept');
    expect(await readFile(join(folder, 'data', kind, 'result'), 'utf8')).toBe('kept');
    expect(await inside(`cat data/${kind}/result; stat -c %u data/${kind}/result`)).toBe('kept9001');
    await expect(upload(kernelId, 'shared/x', 'x')).rejects.toMatchObject({ name: 'PermissionError' });
    expect((await files().list(kernelId, 'shared', signal())).files.map(({ name }) => name)).toEqual(['given']);
    expect((await archive(kernelId, 'shared')).get('shared/given')).toEqual(Buffer.from('from elsewhere'));
  });

  it('never show the host, whatever links a program makes', async () => {
    await inside(`mkdir -p trap && cd trap && ln -sf /etc/shadow absolute && ln -sf ../../../../../../etc/shadow climbing
      ln -sf ${folder}/private host && ln -sf /proc/self/root root && ln -sf /home/work/trap/absolute twice
      ln -sf /home/work/new/../new inner`);
    for (const path of ['absolute', 'climbing', 'host/secret', 'root/etc/shadow', 'twice']) {
      const denied = { name: 'PermissionError' };
      await expect(download(kernelId, `trap/${path}`)).rejects.toMatchObject(denied);
      await expect(archive(kernelId, `trap/${path}`)).rejects.toMatchObject(denied);
      await expect(upload(kernelId, `trap/${path}`, 'x')).rejects.toMatchObject(denied);
      await expect(files().list(kernelId, `trap/${path}`, signal())).rejects.toMatchObject(denied);
    }
    await expect(upload(kernelId, 'trap/host/new', 'x')).rejects.toMatchObject({ name: 'PermissionError' });
    await upload(kernelId, 'trap/inner/made', 'inside');
    expect(await inside('cat new/made')).toBe('inside');
    expect(await readFile(join(folder, 'private', 'secret'), 'utf8')).toBe(SECRET);
  });

  it('never show the host while a program swaps a folder for a link in a loop', async () => {
    await inside('mkdir -p swap/real && echo mine > swap/real/secret');
    const loop = `cd swap; while [ ! -e stop ]; do mv real aside; ln -s ${folder}/private real; rm real; mv aside real; done`;
    const swapping = inside(loop);
    const seen = { own: 0, refused: 0 };
    try {
      const end = Date.now() + 20_000;
      // Until both has happened, that it was there and that it was not.
      for (let round = 0; round < 300 || (seen.own * seen.refused === 0 && Date.now() < end); round += 1) {
        const outcomes = await Promise.allSettled([
          download(kernelId, 'swap/real/secret'),
          files()
            .downloadArchive(kernelId, 'swap/real', signal())
            .then((tar) => Buffer.from(tar).toString()),
        ]);
        for (const outcome of outcomes) {
          if (outcome.status === 'fulfilled') {
            expect(outcome.value).not.toContain(SECRET);
            if (outcome.value.includes('mine')) seen.own += 1;
          } else {
            expect((outcome.reason as Error).name).toMatch(/^(PermissionError|FileNotFoundError|StorageError)$/);
            seen.refused += 1;
          }
        }
      }
    } finally {
      await inside('touch swap/stop');
      await swapping.catch(() => undefined);
    }
    expect(seen.own).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(0);
  });

  it.runIf(kind === 'python')('are found through any links as the kernel finds them', async () => {
    const script = `
import json, os, random
random.seed(${SEED})
os.makedirs('/home/work/maze/a/b/c'); os.makedirs('/home/work/maze/d')
places = ['maze', 'maze/a', 'maze/a/b', 'maze/a/b/c', 'maze/d', 'shared']
for place in places[:-1]: open(f'/home/work/{place}/f', 'w').write(place)
names = ['a', 'b', 'c', 'd', 'f', 'l0', 'l1', 'l2', 'l3', '..', '.', 'given']
walk = lambda: '/'.join(random.choices(names, k=random.randint(1, 4)))
targets = [walk, lambda: f'/home/work/{random.choice(places)}', lambda: f'/home/work/maze/{walk()}', lambda: '../' * random.randint(1, 6) + 'etc', lambda: '/tmp']
for place in places[:-1]:
    for link in range(4): os.symlink(random.choice(targets)(), f'/home/work/{place}/l{link}')
found = []
for _ in range(400):
    path = f'{random.choice(places)}/{walk()}'
    try:
        real = os.path.realpath('/home/work/' + path, strict=True)
        kind = 'file' if os.path.isfile(real) else 'directory'
        found.append([path, real, kind, open(real).read() if kind == 'file' and real.startswith('/home/work/') else ''])
    except OSError as error:
        found.append([path, None, error.strerror, ''])
print(json.dumps(found))`;
    const { stdout } = await agent.run(kernelId, script);
    const found = JSON.parse(stdout) as [path: string, real: string | null, kind: string, content: string][];
    const counts = { same: 0, refused: 0, missing: 0, directories: 0 };
    for (const [path, real, kindInside, content] of found) {
      const outcome = await download(kernelId, path).catch((error: unknown) => error as Error);
      const isInside = real === '/home/work' || (real ?? '').startsWith('/home/work/');
      const name = outcome instanceof Error ? outcome.name : '';
      if (name === 'PermissionError') {
        // It may also come back in on its way.
        counts.refused += 1;
      } else if (real === null) {
        expect([path, kindInside, name]).toEqual([path, kindInside, expect.stringMatching(/FileNotFound|InvalidArg/)]);
        counts.missing += 1;
      } else if (!isInside) {
        expect([path, real, outcome]).toEqual([path, real, 'a PermissionError']);
      } else if (kindInside === 'directory') {
        expect([path, name]).toEqual([path, 'InvalidArgumentError']);
        counts.directories += 1;
      } else {
        expect([path, outcome]).toEqual([path, content]);
        counts.same += 1;
      }
    }
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(5);
    // Not everything may be refused that leads through a link.
    expect(counts.refused).toBeLessThan(found.length / 2);
  });

  it('are refused beyond a megabyte, and what is no file is not waited for', async () => {
    await inside('dd if=/dev/zero of=large bs=1024 count=1025 2>/dev/null; ln -s nowhere dangling');
    await expect(download(kernelId, 'large')).rejects.toMatchObject({ name: 'InvalidArgumentError', message: /1 MiB/ });
    await expect(archive(kernelId, 'large')).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    await expect(download(kernelId, 'dangling')).rejects.toMatchObject({ name: 'FileNotFoundError' });
    await expect(download(kernelId, 'nothing')).rejects.toMatchObject({ name: 'FileNotFoundError' });
  });
});
