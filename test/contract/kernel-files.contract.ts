import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KernelFiles, WorkTree } from '../../src/application/ports/kernel-files.port.js';
import { filesOfTar } from '../support/tar.js';

export interface KernelFilesHarness extends AsyncDisposable {
  readonly files: KernelFiles;
  /** An empty work directory with an empty folder mounted for writing at `data` and one for reading at `shared`. */
  readonly tree: WorkTree;
  /** Puts a file where a program or another host would. */
  put(hostPath: string, text: string): Promise<void>;
}

/** What every KernelFiles promises. */
export function kernelFilesContract(name: string, open: () => Promise<KernelFilesHarness>): void {
  describe(`KernelFiles: ${name}`, () => {
    let harness: KernelFilesHarness;
    let files: KernelFiles;
    let tree: WorkTree;
    const call = () => ({ signal: AbortSignal.timeout(10_000) });

    beforeEach(async () => {
      harness = await open();
      ({ files, tree } = harness);
    });
    afterEach(() => harness[Symbol.asyncDispose]());

    const write = (path: string, text: string) => files.write(tree, path, chunksOf(text), call());
    const read = (path: string) => textOf(files.read(tree, path, call()));
    const names = async (path: string, limit = 100) =>
      (await files.list(tree, path, limit, call())).files.map((file) => file.name);
    const mounted = (target: string) => tree.mounts.find(({ kernelPath }) => kernelPath.endsWith(target))!.hostPath;

    it('reads what it wrote, in directories that it makes, and replaces it', async () => {
      await write('a/b/c.txt', 'one');
      expect(await read('a/b/c.txt')).toBe('one');
      expect(await read('/home/work/a/b/c.txt')).toBe('one');
      await write('/home/work/a/b/c.txt', 'zwölf');
      expect(await read('a/b/../b/./c.txt')).toBe('zwölf');
      await write('empty', '');
      expect(await read('empty')).toBe('');
    });

    it('lists a directory by name, with types and sizes', async () => {
      await write('b.txt', 'four');
      await write('a/x', '');
      const { files: found, problems } = await files.list(tree, '.', 100, call());
      expect(problems).toEqual([]);
      expect(found.filter((file) => ['a', 'b.txt'].includes(file.name))).toMatchObject([
        { name: 'a', mode: 0o040755 },
        { name: 'b.txt', mode: 0o100644, sizeBytes: 4 },
      ]);
      expect(await names('a')).toEqual(['x']);
    });

    it('tells that there are more entries than asked for', async () => {
      for (const number of [1, 2, 3]) await write(`many/${number}`, '');
      expect(await names('many', 3)).toHaveLength(3);
      const cut = await files.list(tree, 'many', 2, call());
      expect(cut.files).toHaveLength(2);
      expect(cut.problems).toHaveLength(1);
    });

    it('archives a file and a directory under the last name of the path', async () => {
      await write('top/dir/one', '1');
      await write('top/dir/sub/two', '22');
      const all = await filesOfTar(files.archive(tree, 'top/dir', call()));
      expect([...all].sort().map(([path, data]) => [path, data.toString()])).toEqual([
        ['dir/one', '1'],
        ['dir/sub/two', '22'],
      ]);
      expect([...(await filesOfTar(files.archive(tree, 'top/dir/one', call())))]).toEqual([['one', Buffer.from('1')]]);
    });

    it('reaches mounts on their own side, and writes to none that is read-only', async () => {
      await harness.put(`${mounted('shared')}/given`, 'from elsewhere');
      expect(await read('shared/given')).toBe('from elsewhere');
      await expect(write('shared/given', 'x')).rejects.toMatchObject({ name: 'PermissionError', field: 'path' });
      await expect(write('shared/new/file', 'x')).rejects.toMatchObject({ name: 'PermissionError' });
      expect(await names('shared')).toEqual(['given']);
      await write('data/result', 'ours');
      expect(await textOf(files.read({ root: mounted('data'), mounts: [] }, 'result', call()))).toBe('ours');
    });

    it.each(['..', '../other', '/etc/shadow', '/home/work/../config/x', '/home/workshop/x', 'a/../../x', '/'])(
      'refuses %s',
      async (path) => {
        await write('a/file', '');
        const denied = { name: 'PermissionError' };
        await expect(write(path, 'x')).rejects.toMatchObject(denied);
        await expect(read(path)).rejects.toMatchObject(denied);
        await expect(names(path)).rejects.toMatchObject(denied);
        await expect(textOf(files.archive(tree, path, call()))).rejects.toMatchObject(denied);
      },
    );

    it('says what is not there, and what is of the wrong kind', async () => {
      await write('dir/file', '');
      const missing = { name: 'FileNotFoundError', message: expect.stringContaining('nothing') as string };
      await expect(read('nothing')).rejects.toMatchObject(missing);
      await expect(names('dir/nothing')).rejects.toMatchObject(missing);
      await expect(textOf(files.archive(tree, 'nothing/file', call()))).rejects.toMatchObject(missing);
      const wrong = { name: 'InvalidArgumentError' };
      await expect(read('dir')).rejects.toMatchObject(wrong);
      await expect(names('dir/file')).rejects.toMatchObject(wrong);
    });

    it('does not begin when already aborted', async () => {
      await write('file', 'x');
      const aborted = { signal: AbortSignal.abort() };
      const ended = { name: 'AbortError' };
      await expect(files.write(tree, 'other', chunksOf(''), aborted)).rejects.toMatchObject(ended);
      await expect(textOf(files.read(tree, 'file', aborted))).rejects.toMatchObject(ended);
      await expect(textOf(files.archive(tree, 'file', aborted))).rejects.toMatchObject(ended);
      await expect(files.list(tree, '.', 1, aborted)).rejects.toMatchObject(ended);
    });
  });
}

export async function* chunksOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
