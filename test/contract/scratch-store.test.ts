import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostScratchStore, type HostScratchOptions } from '../../src/adapters/scratch/host-scratch-store.adapter.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import { MemoryScratchStore } from '../support/memory-scratch-store.js';
import { scratchStoreContract } from './scratch-store.contract.js';

const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;
const ID = parseKernelId('7f3d2c1b-0000-4000-8000-000000000001');

scratchStoreContract('host directories', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'scratch-store-'));
  return {
    store: new HostScratchStore({ root: join(directory, 'made/below'), owner: 'i-test/1' }),
    async read(path) {
      try {
        return { data: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
      } catch {
        return undefined;
      }
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
});

scratchStoreContract('memory', () => {
  const store = new MemoryScratchStore();
  return Promise.resolve({
    store,
    read(path) {
      for (const [id, files] of store.scratches) {
        const file = files.get(path.slice(store.paths(id).root.length + 1));
        if (file && path.startsWith(`${store.paths(id).root}/`))
          return Promise.resolve({ data: file.data, mode: file.mode });
      }
      return Promise.resolve(undefined);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

describe('HostScratchStore on a real file system', () => {
  let directory: string;
  let outside: string;
  const call = { signal: new AbortController().signal };
  const open = (more: Partial<HostScratchOptions> = {}) =>
    new HostScratchStore({ root: join(directory, 's'), ...more });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'scratch-host-'));
    outside = join(directory, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), 'precious');
    await mkdir(join(directory, 's'));
  });
  afterEach(async () => {
    expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('precious');
    expect(await readdir(outside)).toEqual(['precious']);
    await rm(directory, { recursive: true });
  });

  /** Runs `work` as a user who owns the scratch directory and is not root. */
  async function asNobody(work: () => Promise<void>): Promise<void> {
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, directory]);
    process.seteuid?.(NOBODY);
    try {
      await work();
    } finally {
      process.seteuid?.(0);
    }
  }

  it('makes directories of mode 0755 whatever the umask is', async () => {
    const before = process.umask(0o077);
    try {
      const paths = await open().create(ID, undefined, call);
      for (const path of [paths.root, paths.config, paths.work]) expect((await stat(path)).mode & 0o777).toBe(0o755);
    } finally {
      process.umask(before);
    }
  });

  it.runIf(isRoot)('gives to the kernel user what is theirs and nothing else', async () => {
    const store = open();
    const paths = await store.create(ID, { uid: 1234, gid: 2345 }, call);
    const file = { data: '', mode: 0o644 };
    await store.write(
      ID,
      [
        { ...file, path: 'work/.jupyter/custom/a', owned: true },
        { ...file, path: 'config/b', owned: false },
      ],
      { uid: 1234, gid: 2345 },
      call,
    );
    const owner = async (path: string) => {
      const { uid, gid } = await stat(path);
      return [uid, gid];
    };
    for (const path of ['', '/.jupyter', '/.jupyter/custom', '/.jupyter/custom/a']) {
      expect(await owner(`${paths.work}${path}`)).toEqual([1234, 2345]);
    }
    for (const path of [paths.root, paths.config, `${paths.config}/b`]) expect(await owner(path)).toEqual([0, 0]);
  });

  it('never writes through a symlink', async () => {
    const store = open();
    const { work, config } = await store.create(ID, undefined, call);
    await symlink(outside, join(work, 'dir'));
    await symlink(join(outside, 'precious'), join(work, 'file'));
    await symlink(join(outside, 'new'), join(config, 'log'));
    const file = { data: 'evil', mode: 0o666, owned: true };
    const owner = { uid: 1, gid: 1 };
    await expect(store.write(ID, [{ ...file, path: 'work/dir/precious' }], owner, call)).rejects.toMatchObject({
      name: 'StorageError',
      hint: expect.stringMatching(/./),
    });
    await store.write(ID, [{ ...file, path: 'work/file', onlyIfAbsent: true }], owner, call);
    expect((await lstat(join(work, 'file'))).isSymbolicLink()).toBe(true);
    await store.write(ID, [{ ...file, path: 'work/file' }], owner, call);
    expect((await lstat(join(work, 'file'))).isFile()).toBe(true);
    await expect(store.append(ID, 'config/log', 'evil')).rejects.toMatchObject({ name: 'StorageError' });
    expect((await readdir(work)).sort()).toEqual(['dir', 'file']);
  });

  it('refuses a scratch that is a symlink, and removes only the link', async () => {
    const store = open();
    await symlink(outside, store.paths(ID).root);
    await expect(store.create(ID, undefined, call)).rejects.toMatchObject({ name: 'StorageError' });
    await expect(store.write(ID, [], undefined, call)).rejects.toMatchObject({ name: 'StorageError' });
    await expect(store.remove(ID, call)).rejects.toMatchObject({ name: 'StorageError' });
    expect(await store.list()).toEqual([]);
  });

  it('does not wait for the reader of a FIFO', async () => {
    const store = open();
    const { config } = await store.create(ID, undefined, call);
    execFileSync('mkfifo', [join(config, 'resource.txt')]);
    await expect(store.append(ID, 'config/resource.txt', 'x')).rejects.toMatchObject({ name: 'StorageError' });
  });

  it('removes links, special files and a tree deeper than any path may be long', async () => {
    const store = open();
    const { work } = await store.create(ID, undefined, call);
    await symlink(outside, join(work, 'dir'));
    await symlink('/', join(work, 'root'));
    execFileSync('mkfifo', [join(work, 'fifo')]);
    execFileSync('sh', ['-c', 'for i in $(seq 600); do mkdir ddddddddddd && cd -P ddddddddddd || exit 1; : >f; done'], {
      cwd: work,
    });
    await store.remove(ID, call);
    expect(await readdir(join(directory, 's'))).toEqual([]);
  });

  it('lists directories with the name of a kernel id, and nothing else', async () => {
    const store = open();
    await store.create(ID, undefined, call);
    const base = join(directory, 's');
    await mkdir(join(base, ID.toUpperCase().replace('7', '8')));
    await mkdir(join(base, 'lost+found'));
    await writeFile(join(base, '7f3d2c1b-0000-4000-8000-000000000002'), '');
    await mkdir(join(base, `${ID}_tmp`));
    expect(await store.list()).toEqual([ID]);
  });

  it('lists what this agent made among agents that share the root, also what it could not finish', async () => {
    const ours = open({ owner: 'i-one' });
    const theirs = open({ owner: 'i-two' });
    const other = parseKernelId('7f3d2c1b-0000-4000-8000-000000000002');
    await ours.create(ID, undefined, call);
    await theirs.create(other, undefined, call);
    expect(await ours.list()).toEqual([ID]);
    expect(await theirs.list()).toEqual([other]);
    // Killed after the claim, before the directory.
    await rm(ours.paths(ID).root, { recursive: true });
    expect(await open({ owner: 'i-one' }).list()).toEqual([ID]);
    await ours.remove(ID, call);
    expect(await ours.list()).toEqual([]);
    expect(await open().list()).toEqual([other]);
  });

  it('does not trust a directory that others can change', async () => {
    await chmod(join(directory, 's'), 0o777);
    await expect(open().create(ID, undefined, call)).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringContaining('not safe'),
      hint: expect.stringContaining('chmod'),
    });
    await chmod(join(directory, 's'), 0o1777);
    await open().create(ID, undefined, call);
  });

  it.runIf(isRoot)('does not trust a directory of somebody else', async () => {
    execFileSync('chown', [String(NOBODY), join(directory, 's')]);
    await expect(open().create(ID, undefined, call)).rejects.toThrow(/belongs to user 65534/);
  });

  it.runIf(isRoot)('never removes through a mount, and succeeds once it is gone', async () => {
    const store = open();
    const { work } = await store.create(ID, undefined, call);
    await mkdir(join(work, 'a/b'), { recursive: true });
    execFileSync('mount', ['--bind', outside, join(work, 'a/b')]);
    try {
      await expect(store.remove(ID, call)).rejects.toMatchObject({
        name: 'StorageError',
        message: expect.stringContaining('mounted'),
        hint: expect.stringContaining('umount'),
      });
    } finally {
      execFileSync('umount', [join(work, 'a/b')]);
    }
    await store.remove(ID, call);
    expect(await store.list()).toEqual([]);
  });

  it.runIf(isRoot)('opens what the kernel closed to everybody, without being root', async () => {
    await asNobody(async () => {
      const store = open();
      const { work } = await store.create(ID, { uid: 0, gid: 0 }, call);
      await mkdir(join(work, 'a/b/c'), { recursive: true });
      await writeFile(join(work, 'a/b/f'), '');
      await chmod(join(work, 'a/b/f'), 0);
      await chmod(join(work, 'a/b'), 0o500);
      await chmod(join(work, 'a'), 0);
      await chmod(work, 0);
      await store.remove(ID, call);
      expect(await store.list()).toEqual([]);
    });
  });

  it.runIf(isRoot)('asks root to remove what is root’s, and says what to do if it can not ask', async () => {
    await asNobody(async () => {
      const asked: string[] = [];
      const removeAsRoot = async (path: string) => {
        asked.push(path);
        process.seteuid?.(0);
        await rm(path, { recursive: true });
        process.seteuid?.(NOBODY);
      };
      const store = open();
      const { work, root } = await store.create(ID, undefined, call);
      process.seteuid?.(0);
      await mkdir(join(work, 'roots'), { mode: 0o755 });
      await writeFile(join(work, 'roots/f'), '');
      process.seteuid?.(NOBODY);

      await expect(store.remove(ID, call)).rejects.toMatchObject({
        name: 'StorageError',
        hint: expect.stringContaining('rm -rf'),
      });
      await expect(open({ removeAsRoot: () => Promise.resolve() }).remove(ID, call)).rejects.toMatchObject({
        name: 'StorageError',
      });
      await open({ removeAsRoot }).remove(ID, call);
      expect(asked).toEqual([root]);
      expect(await store.list()).toEqual([]);
    });
  });

  it('gives up at its deadline, and gets done with more time', async () => {
    const store = open();
    const { work } = await store.create(ID, undefined, call);
    execFileSync('sh', ['-c', 'for i in $(seq 3000); do : >$i; done'], { cwd: work });
    await expect(store.remove(ID, { ...call, timeoutMs: 5 })).rejects.toMatchObject({
      name: 'TimeoutError',
      status: 504,
    });
    await store.remove(ID, call);
    expect(await store.list()).toEqual([]);
  });

  it('removes while somebody still writes', async () => {
    const store = open();
    const { work } = await store.create(ID, undefined, call);
    const stop = new AbortController();
    const writer = (async () => {
      for (let n = 0; !stop.signal.aborted && n < 2_000; n++)
        await writeFile(join(work, `f${n}`), '').catch(() => undefined);
    })();
    await store.remove(ID, call).catch(() => undefined);
    stop.abort();
    await writer;
    await store.remove(ID, call);
    expect(await store.list()).toEqual([]);
  });
});
