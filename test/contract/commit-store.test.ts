import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FileCommitStore } from '../../src/adapters/host/file-commit-store.adapter.js';
import { MemoryCommitStore } from '../support/memory-commit-store.js';
import { chunksOf, type CommitStoreHarness, describeCommitStore } from './commit-store.contract.js';

const run = promisify(execFile);
const FILE = { subfolder: 'user', filename: 'a.tar.gz' };
const { signal } = new AbortController();

async function files(): Promise<CommitStoreHarness & { readonly root: string }> {
  const base = await mkdtemp(join(tmpdir(), 'commit-store-'));
  const root = join(base, 'not', 'there yet');
  return {
    root,
    store: new FileCommitStore({ root, owner: 'i-1' }),
    read: async (path) => {
      const data = await readFile(join(root, path)).catch(() => undefined);
      return data && gunzipSync(data);
    },
    list: async () => {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
      return entries
        .filter((entry) => !entry.isDirectory())
        .map(({ parentPath, name }) => join(relative(root, parentPath), name));
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true }),
  };
}

describeCommitStore('files', files);

describeCommitStore('memory', () => {
  const store = new MemoryCommitStore();
  return Promise.resolve({
    store,
    read: (path: string) => Promise.resolve(store.files.get(path)),
    list: () => Promise.resolve([...store.files.keys(), ...store.unfinished]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

describe('FileCommitStore', () => {
  it('keeps files and folders from others', async () => {
    await using place = await files();
    await place.store.save(FILE, chunksOf('x'), signal);
    expect((await stat(join(place.root, 'user', 'a.tar.gz'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(place.root, 'user'))).mode & 0o007).toBe(0);
  });

  it('follows no symlink below its folder', async () => {
    await using place = await files();
    const elsewhere = join(place.root, '..', 'elsewhere');
    await mkdir(elsewhere, { recursive: true });
    await mkdir(join(place.root, 'real'), { recursive: true });
    await symlink(elsewhere, join(place.root, 'user'));
    await expect(place.store.save(FILE, chunksOf('x'), signal)).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringContaining('user/a.tar.gz'),
      hint: expect.stringMatching(/in the way/),
    });
    expect(await readdir(elsewhere)).toEqual([]);
    await writeFile(join(elsewhere, 'precious'), 'p');
    await symlink(join(elsewhere, 'precious'), join(place.root, 'real', 'a.tar.gz'));
    await place.store.save({ ...FILE, subfolder: 'real' }, chunksOf('x'), signal);
    expect(await readFile(join(elsewhere, 'precious'), 'utf8')).toBe('p');
    expect((await place.read('real/a.tar.gz'))?.toString()).toBe('x');
    await place.store.sweep();
    expect(await readdir(elsewhere)).toEqual(['precious']);
  });

  it.each(['..', '.', 'a/b', ''])('refuses the name %j', async (name) => {
    await using place = await files();
    for (const file of [
      { ...FILE, subfolder: name },
      { ...FILE, filename: name },
    ]) {
      await expect(place.store.save(file, chunksOf('x'), signal)).rejects.toMatchObject({ name: 'StorageError' });
    }
  });

  it('removes what a crash left half-written of its own, and nothing of another agent', async () => {
    await using place = await files();
    const other = new FileCommitStore({ root: place.root, owner: 'i-2' });
    let left = '';
    const dying = place.store.save(
      FILE,
      (async function* () {
        yield Buffer.from('x');
        const [name = ''] = await readdir(join(place.root, 'user'));
        left = name;
        throw new Error('crash');
      })(),
      signal,
    );
    await expect(dying).rejects.toThrow('crash');
    expect(left).toMatch(/^\.tmp-/);
    await writeFile(join(place.root, 'user', left), 'half');
    await writeFile(join(place.root, 'stray'), 'x');
    await other.sweep();
    expect(await place.list()).toHaveLength(2);
    await place.store.sweep();
    expect(await place.list()).toEqual(['stray']);
  });

  it.runIf(process.getuid?.() === 0)('says that the disk is full, and leaves nothing there', async () => {
    await using place = await files();
    await mkdir(place.root, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', place.root]);
    try {
      const random = Array.from({ length: 64 }, () =>
        Array.from({ length: 16_384 }, () => Math.floor(Math.random() * 36).toString(36)).join(''),
      );
      await expect(place.store.save(FILE, chunksOf(...random), signal)).rejects.toMatchObject({
        name: 'StorageError',
        message: expect.stringMatching(/no space left/i),
        hint: expect.stringContaining('image-commit-path'),
      });
      expect(await place.list()).toEqual([]);
    } finally {
      await run('umount', [place.root]);
    }
  });
});
