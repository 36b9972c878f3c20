import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ScratchStore } from '../../src/application/ports/scratch-store.port.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import type { ScratchFile } from '../../src/domain/scratch/scratch-layout.js';

export interface ScratchStoreHarness extends AsyncDisposable {
  readonly store: ScratchStore;
  /** The content and mode of a file at an absolute path of this store; `undefined` if it isn't there. */
  read(path: string): Promise<{ readonly data: string; readonly mode: number } | undefined>;
}

const ONE = parseKernelId('00000000-0000-4000-8000-000000000001');
const TWO = parseKernelId('00000000-0000-4000-8000-000000000002');

/** What every ScratchStore promises. */
export function scratchStoreContract(name: string, open: () => Promise<ScratchStoreHarness>): void {
  describe(`ScratchStore: ${name}`, () => {
    let harness: ScratchStoreHarness;
    let store: ScratchStore;
    const call = { signal: new AbortController().signal };

    beforeEach(async () => {
      harness = await open();
      store = harness.store;
    });
    afterEach(() => harness[Symbol.asyncDispose]());

    const file = (path: string, data: string, more: Partial<ScratchFile> = {}): ScratchFile => ({
      path,
      data,
      mode: 0o644,
      owned: false,
      ...more,
    });
    const read = (path: string) => harness.read(`${store.paths(ONE).root}/${path}`);

    it('says where a scratch is before it is made', () => {
      const { root, config, work } = store.paths(ONE);
      expect(root.endsWith(`/${ONE}`)).toBe(true);
      expect(config).toBe(`${root}/config`);
      expect(work).toBe(`${root}/work`);
    });

    it('lists what was created, until it is removed', async () => {
      expect(await store.list()).toEqual([]);
      expect(await store.create(TWO, undefined, call)).toEqual(store.paths(TWO));
      await store.create(ONE, undefined, call);
      expect(await store.list()).toEqual([ONE, TWO]);
      await store.remove(ONE, call);
      expect(await store.list()).toEqual([TWO]);
    });

    it('writes files with their modes into directories that it makes', async () => {
      await store.create(ONE, undefined, call);
      await store.write(
        ONE,
        [file('config/environ.txt', 'A=ü\n'), file('work/.jupyter/custom/x.sh', '', { mode: 0o755 })],
        undefined,
        call,
      );
      expect(await read('config/environ.txt')).toEqual({ data: 'A=ü\n', mode: 0o644 });
      expect(await read('work/.jupyter/custom/x.sh')).toEqual({ data: '', mode: 0o755 });
    });

    it('replaces files, but not those that are only for when there is none', async () => {
      await store.create(ONE, undefined, call);
      await store.write(ONE, [file('work/a', '1', { onlyIfAbsent: true }), file('work/b', '1')], undefined, call);
      await store.write(
        ONE,
        [file('work/a', '2', { onlyIfAbsent: true }), file('work/b', '2', { mode: 0o600 })],
        undefined,
        call,
      );
      expect(await read('work/a')).toEqual({ data: '1', mode: 0o644 });
      expect(await read('work/b')).toEqual({ data: '2', mode: 0o600 });
    });

    it('keeps the content when it is created again', async () => {
      await store.create(ONE, undefined, call);
      await store.write(ONE, [file('work/a', '1')], undefined, call);
      await store.create(ONE, undefined, call);
      expect((await read('work/a'))?.data).toBe('1');
      expect(await store.list()).toEqual([ONE]);
    });

    it('appends', async () => {
      await store.create(ONE, undefined, call);
      await store.write(ONE, [file('config/resource.txt', 'A=1\n')], undefined, call);
      await store.append(ONE, 'config/resource.txt', 'CID=x\n');
      await store.append(ONE, 'config/new.txt', 'y');
      expect((await read('config/resource.txt'))?.data).toBe('A=1\nCID=x\n');
      expect((await read('config/new.txt'))?.data).toBe('y');
    });

    it('removes what it wrote; once more is a success', async () => {
      await store.create(ONE, undefined, call);
      await store.write(ONE, [file('work/deep/er/a', '1')], undefined, call);
      await store.remove(ONE, call);
      expect(await read('work/deep/er/a')).toBeUndefined();
      await store.remove(ONE, call);
      await store.create(ONE, undefined, call);
      expect(await read('work/deep/er/a')).toBeUndefined();
    });

    it.each(['../x', 'work/../../x', '/etc/x', 'work//x', 'work/', '', '.', 'work/./x', 'a\0b'])(
      'refuses the path %j and writes nothing',
      async (path) => {
        await store.create(ONE, undefined, call);
        const wrong = store.write(ONE, [file('work/fine', ''), file(path, '')], undefined, call);
        await expect(wrong).rejects.toMatchObject({ name: 'InvalidArgumentError', field: 'path' });
        await expect(store.append(ONE, path, '')).rejects.toMatchObject({ name: 'InvalidArgumentError' });
        expect(await read('work/fine')).toBeUndefined();
      },
    );

    it('does not write into a scratch that is not there', async () => {
      await expect(store.write(ONE, [file('work/a', '')], undefined, call)).rejects.toMatchObject({
        name: 'StorageError',
        status: 507,
      });
      await expect(store.append(ONE, 'work/a', '')).rejects.toMatchObject({ name: 'StorageError' });
      expect(await store.list()).toEqual([]);
    });

    it('does nothing for a call that was cancelled', async () => {
      const cancelled = { signal: AbortSignal.abort() };
      await expect(store.create(ONE, undefined, cancelled)).rejects.toHaveProperty('name', 'AbortError');
      expect(await store.list()).toEqual([]);
      await store.create(ONE, undefined, call);
      await expect(store.write(ONE, [file('work/a', '')], undefined, cancelled)).rejects.toThrow();
      await expect(store.remove(ONE, cancelled)).rejects.toHaveProperty('name', 'AbortError');
      expect(await store.list()).toEqual([ONE]);
    });

    it('serves many kernels at once', async () => {
      const ids = Array.from({ length: 30 }, (_, n) =>
        parseKernelId(`00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
      );
      await Promise.all(
        ids.map(async (id) => {
          await store.create(id, undefined, call);
          await store.write(id, [file('work/id', id)], undefined, call);
        }),
      );
      expect(await store.list()).toEqual(ids);
      await Promise.all(ids.map((id) => store.remove(id, call)));
      expect(await store.list()).toEqual([]);
    });
  });
}
