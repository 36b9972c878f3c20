import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DirectoryHandle } from '../../src/adapters/scratch/directory-handle.js';
import { HostKernelFiles } from '../../src/adapters/scratch/host-kernel-files.adapter.js';
import type { WorkTree } from '../../src/application/ports/kernel-files.port.js';
import { MemoryKernelFiles } from '../support/memory-kernel-files.js';
import { filesOfTar } from '../support/tar.js';
import { chunksOf, kernelFilesContract, textOf } from './kernel-files.contract.js';

const SECRET = 'nobody may read this';

/** Beside the work directory lies what a kernel must not reach. */
async function hostTree() {
  const folder = await mkdtemp(join(tmpdir(), 'backend-ai-files-'));
  const root = join(folder, 'work');
  const mounts = [
    { kernelPath: '/home/work/data', hostPath: join(folder, 'vfolder', 'data'), readOnly: false },
    { kernelPath: '/home/work/shared', hostPath: join(folder, 'vfolder', 'shared'), readOnly: true },
  ];
  await mkdir(root);
  for (const { hostPath } of mounts) await mkdir(hostPath, { recursive: true });
  // The engine makes the places where it mounts.
  for (const name of ['data', 'shared']) await mkdir(join(root, name));
  await writeFile(join(folder, 'secret'), SECRET);
  return { folder, tree: { root, mounts }, remove: () => rm(folder, { recursive: true, force: true }) };
}

kernelFilesContract('on the host', async () => {
  const { tree, remove } = await hostTree();
  const put = async (path: string, text: string) => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  };
  return { files: new HostKernelFiles(), tree, put, [Symbol.asyncDispose]: remove };
});

kernelFilesContract('in memory', () => {
  const files = new MemoryKernelFiles();
  const tree = {
    root: '/scratches/kernel/work',
    mounts: [
      { kernelPath: '/home/work/data', hostPath: '/srv/data', readOnly: false },
      { kernelPath: '/home/work/shared', hostPath: '/srv/shared', readOnly: true },
    ],
  };
  const put = (path: string, text: string) => Promise.resolve(void files.files.set(path, Buffer.from(text)));
  return Promise.resolve({ files, tree, put, [Symbol.asyncDispose]: () => Promise.resolve() });
});

describe('HostKernelFiles among hostile programs', () => {
  const files = new HostKernelFiles();
  let host: Awaited<ReturnType<typeof hostTree>>;
  let tree: WorkTree;
  const at = (path: string) => join(tree.root, path);
  const call = () => ({ signal: AbortSignal.timeout(20_000) });
  const read = (path: string) => textOf(files.read(tree, path, call()));
  const write = (path: string, text = 'x') => files.write(tree, path, chunksOf(text), call());
  const isRoot = process.geteuid?.() === 0;

  beforeEach(async () => {
    host = await hostTree();
    ({ tree } = host);
  });
  afterEach(() => host.remove());

  it('follows symlinks as the kernel sees them, as long as they stay', async () => {
    await mkdir(at('real/deep'), { recursive: true });
    await writeFile(at('real/deep/file'), 'inside');
    await writeFile(join(host.folder, 'vfolder/data/result'), 'mounted');
    await symlink('/home/work/real', at('absolute'));
    await symlink('../../absolute/deep', at('real/deep/round'));
    await symlink('/home/work/data/result', at('into-mount'));
    await symlink('real/deep/new', at('dangling'));
    expect(await read('absolute/deep/file')).toBe('inside');
    expect(await read('real/deep/round/round/file')).toBe('inside');
    expect(await read('into-mount')).toBe('mounted');
    await write('dangling', 'made where it points');
    expect(await read('real/deep/new')).toBe('made where it points');
    expect((await lstat(at('dangling'))).isSymbolicLink()).toBe(true);
    // `..` after a symlink is the parent of where it leads.
    await symlink('real/deep', at('deep'));
    expect(await read('deep/../deep/file')).toBe('inside');
    expect([...(await filesOfTar(files.archive(tree, 'into-mount', call()))).keys()]).toEqual(['into-mount']);
  });

  it.each([
    ['an absolute one', '/etc/shadow'],
    ['one that climbs', '../secret'],
    ['one that climbs by detours', 'data/../shared/../../secret'],
    ['one to the host path of the work directory', 'HOST'],
    ['one through a process', '/proc/self/root/etc/shadow'],
  ])('refuses %s', async (_, target) => {
    await symlink(target === 'HOST' ? join(host.folder, 'secret') : target, at('link'));
    await symlink('link', at('second'));
    for (const path of ['link', 'second', 'link/x']) {
      const denied = { name: 'PermissionError' };
      await expect(read(path)).rejects.toMatchObject(denied);
      await expect(textOf(files.archive(tree, path, call()))).rejects.toMatchObject(denied);
      await expect(files.list(tree, path, 10, call())).rejects.toMatchObject(denied);
      await expect(write(path)).rejects.toMatchObject(denied);
    }
    expect(await readFile(join(host.folder, 'secret'), 'utf8')).toBe(SECRET);
  });

  it('ends at symlinks in a circle', async () => {
    await symlink('b', at('a'));
    await symlink('a', at('b'));
    await expect(read('a')).rejects.toMatchObject({ name: 'PermissionError', message: /symbolic links/ });
  });

  it('keeps symlinks as they are in archives and listings', async () => {
    await mkdir(at('dir'));
    await symlink('/etc/shadow', at('dir/link'));
    const archive = await textOf(files.archive(tree, 'dir', call()));
    expect(archive).toContain('/etc/shadow');
    const { files: found } = await files.list(tree, 'dir', 10, call());
    expect(found.map(({ name, mode }) => [name, mode & 0o170000])).toEqual([['link', 0o120000]]);
  });

  it('is read by GNU tar, mounts and all', async () => {
    await mkdir(at(`${'l'.repeat(120)}/ü`), { recursive: true });
    await writeFile(at(`${'l'.repeat(120)}/ü/file`), 'x'.repeat(1000));
    await writeFile(join(host.folder, 'vfolder/shared/given'), 'shared');
    const archive = join(host.folder, 'all.tar');
    const chunks: Uint8Array[] = [];
    for await (const chunk of files.archive(tree, '.', call())) chunks.push(chunk);
    await writeFile(archive, Buffer.concat(chunks));
    const listed = execFileSync('tar', ['--quoting-style=literal', '-tf', archive], {
      encoding: 'utf8',
      env: { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] },
    });
    expect(listed.split('\n').filter(Boolean).sort()).toEqual(
      ['work/', 'work/data/', `work/${'l'.repeat(120)}/`, `work/${'l'.repeat(120)}/ü/`]
        .concat([`work/${'l'.repeat(120)}/ü/file`, 'work/shared/', 'work/shared/given'])
        .sort(),
    );
  });

  it('waits for nobody: pipes, sockets and devices are not read and not replaced', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('socket'), resolve));
    for (const name of ['pipe', 'socket']) {
      await expect(read(name)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
      await expect(write(name)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    }
    expect(await filesOfTar(files.archive(tree, '.', call()))).toEqual(new Map());
    const { files: found } = await files.list(tree, '.', 10, call());
    expect(found.map(({ name }) => name)).toEqual(['data', 'pipe', 'shared', 'socket']);
    await new Promise((resolve) => server.close(resolve));
  });

  it('lets a replaced file keep its permissions and leaves no other name of it changed', async () => {
    await writeFile(at('script'), 'old');
    await chmod(at('script'), 0o750);
    await link(at('script'), at('other-name'));
    await write('script', 'new');
    expect((await stat(at('script'))).mode & 0o777).toBe(0o750);
    expect(await read('other-name')).toBe('old');
    await write('fresh');
    expect((await stat(at('fresh'))).mode & 0o777).toBe(0o644);
  });

  it.skipIf(!isRoot)('gives what it makes to the owner of the work directory', async () => {
    execFileSync('chown', ['4242:4343', tree.root]);
    await write('a/b/file');
    await write('data/c/file');
    for (const path of [at('a'), at('a/b'), at('a/b/file'), join(host.folder, 'vfolder/data/c/file')]) {
      expect(await stat(path)).toMatchObject({ uid: 4242, gid: 4343 });
    }
    expect((await stat(join(host.folder, 'vfolder/data'))).uid).toBe(process.geteuid?.());
  });

  it('leaves nothing half-written behind when the data ends early', async () => {
    const broken = async function* () {
      yield await Promise.resolve(Buffer.from('half'));
      throw new Error('the sender went away');
    };
    await writeFile(at('file'), 'whole');
    await expect(files.write(tree, 'file', broken(), call())).rejects.toThrow(/the sender went away/);
    const { files: found } = await files.list(tree, '.', 10, call());
    expect(found.map(({ name }) => name)).toEqual(['data', 'file', 'shared']);
    expect(await read('file')).toBe('whole');
  });

  it('tells when the kernel has no files yet, or no more', async () => {
    await rm(tree.root, { recursive: true });
    const missing = { name: 'FileNotFoundError', message: /being made or removed/ };
    await expect(write('x')).rejects.toMatchObject(missing);
    await expect(read('x')).rejects.toMatchObject(missing);
    await expect(files.list(tree, '.', 10, call())).rejects.toMatchObject(missing);
  });

  it('reads no more than is asked for', async () => {
    // Would take minutes.
    await writeFile(at('file'), '');
    await truncate(at('file'), 2 ** 40);
    for (const stream of [files.read(tree, 'file', call()), files.archive(tree, '.', call())]) {
      let length = 0;
      for await (const chunk of stream) {
        length += chunk.length;
        if (length > 2 ** 20) break;
      }
      expect(length).toBeLessThan(2 * 2 ** 20);
    }
  });

  it('refuses a mounted file, and a mount whose host path became a symlink', async () => {
    const single = join(host.folder, 'vfolder/single');
    await writeFile(single, 'content');
    await writeFile(at('single'), '');
    const own = { kernelPath: '/home/work/single', hostPath: single, readOnly: false };
    tree = { ...tree, mounts: [...tree.mounts, own] };
    expect(await read('single')).toBe('content');
    await expect(write('single')).rejects.toMatchObject({ name: 'PermissionError' });
    await rename(join(host.folder, 'vfolder'), join(host.folder, 'moved'));
    await symlink(host.folder, join(host.folder, 'vfolder'));
    await expect(read('single')).rejects.toMatchObject({ name: 'StorageError' });
    await expect(files.list(tree, 'data', 10, call())).rejects.toMatchObject({ name: 'StorageError' });
  });

  it('refuses endless depth and endless names', async () => {
    const deep = Array.from({ length: 140 }, () => 'd').join('/');
    await mkdir(at(deep), { recursive: true });
    await expect(textOf(files.archive(tree, 'd', call()))).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    for (const path of ['x'.repeat(256), 'y/'.repeat(3_000), 'a\0b']) {
      await expect(write(path)).rejects.toMatchObject({ name: 'InvalidArgumentError' });
    }
  });

  describe('with a directory that is swapped for a symlink', () => {
    const steps = ['openFile', 'mkdir', 'lstat', 'readlink', 'rename', 'entries'] as const;
    const operations: Readonly<Record<string, () => Promise<unknown>>> = {
      read: () => read('real/sub/secret'),
      archive: () => textOf(files.archive(tree, 'real', call())),
      list: async () => JSON.stringify(await files.list(tree, 'real/sub', 100, call())),
      write: () => write('real/sub/secret', 'ours'),
      'write into new directories': () => write('real/made/and/made/upload', 'ours'),
    };

    beforeEach(async () => {
      await mkdir(at('real/sub'), { recursive: true });
      await writeFile(at('real/sub/secret'), 'inside');
      await mkdir(join(host.folder, 'outside/sub'), { recursive: true });
      await writeFile(join(host.folder, 'outside/sub/secret'), SECRET);
      await writeFile(join(host.folder, 'outside/sub/other secret'), SECRET);
      await symlink(join(host.folder, 'outside'), at('bait'));
    });
    afterEach(() => vi.restoreAllMocks());

    /** Swaps right before the `first` step of the walk, and back right before the `second`. */
    function swapBefore(first: number, second: number): { readonly count: () => number } {
      let count = 0;
      const prototype = DirectoryHandle.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
      for (const step of steps) {
        const original = prototype[step]!;
        vi.spyOn(prototype, step).mockImplementation(function (this: DirectoryHandle, ...args: unknown[]) {
          count += 1;
          if (count === first) {
            renameSync(at('real'), at('aside'));
            renameSync(at('bait'), at('real'));
          }
          if (count === second) {
            renameSync(at('real'), at('bait'));
            renameSync(at('aside'), at('real'));
          }
          return original.apply(this, args);
        });
      }
      return { count: () => count };
    }

    it.each(Object.entries(operations))('%s never leaves the tree, whenever that happens', async (_, operation) => {
      const outside = execFileSync('find', [join(host.folder, 'outside')], { encoding: 'utf8' });
      const { count } = swapBefore(0, 0);
      await operation();
      const all = count();
      vi.restoreAllMocks();
      await rm(at('real/made'), { recursive: true, force: true });
      await writeFile(at('real/sub/secret'), 'inside');
      expect(all).toBeGreaterThan(2);
      for (let first = 1; first <= all; first += 1) {
        for (let second = first + 1; second <= all + 2; second += 1) {
          swapBefore(first, second);
          const outcome = await operation().then(String, (error: unknown) => (error as Error).name);
          vi.restoreAllMocks();
          if (await lstat(at('aside')).catch(() => undefined)) {
            renameSync(at('real'), at('bait'));
            renameSync(at('aside'), at('real'));
          }
          expect(outcome).not.toContain(SECRET);
          expect(outcome).not.toContain('other secret');
          expect(outcome).not.toMatch(/^(TypeError|Error)$/);
          await rm(at('real/made'), { recursive: true, force: true });
        }
      }
      expect(execFileSync('find', [join(host.folder, 'outside')], { encoding: 'utf8' })).toBe(outside);
      expect(await readFile(join(host.folder, 'outside/sub/secret'), 'utf8')).toBe(SECRET);
    });
  });
});
