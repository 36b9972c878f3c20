import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommitStore } from '../../src/application/ports/commit-store.port.js';

export interface CommitStoreHarness extends AsyncDisposable {
  readonly store: CommitStore;
  /** The tar of a file, as `gunzip` gives it; `undefined` if there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** All that there is, whole or not. */
  list(): Promise<readonly string[]>;
}

const FILE = { subfolder: 'user_example.com', filename: '2026-01-01T00-00-00_my session_python.tar.gz' };
const PATH = `${FILE.subfolder}/${FILE.filename}`;
const { signal } = new AbortController();

// eslint-disable-next-line @typescript-eslint/require-await -- what is there at once is an iterable too
export async function* chunksOf(...texts: (string | Error | (() => void))[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    if (typeof text === 'string') yield Buffer.from(text);
    else text();
  }
}

export function describeCommitStore(title: string, setup: () => Promise<CommitStoreHarness>): void {
  describe(`CommitStore: ${title}`, () => {
    let harness: CommitStoreHarness;
    beforeEach(async () => {
      harness = await setup();
    });
    afterEach(() => harness[Symbol.asyncDispose]());

    it('keeps what it is given, whole, and the newest of a name', async () => {
      await harness.store.save(FILE, chunksOf('one', '', 'two'), signal);
      expect((await harness.read(PATH))?.toString()).toBe('onetwo');
      await harness.store.save(FILE, chunksOf('three'), signal);
      await harness.store.save({ ...FILE, filename: 'other' }, chunksOf(), signal);
      expect((await harness.read(PATH))?.toString()).toBe('three');
      expect((await harness.list()).toSorted()).toEqual([PATH, `${FILE.subfolder}/other`]);
    });

    it('keeps nothing of what breaks off, and what was there before', async () => {
      const failure = new Error('the engine is gone');
      await expect(harness.store.save(FILE, chunksOf('one', failure), signal)).rejects.toBe(failure);
      expect(await harness.list()).toEqual([]);
      await harness.store.save(FILE, chunksOf('whole'), signal);
      await expect(harness.store.save(FILE, chunksOf('half', failure), signal)).rejects.toBe(failure);
      expect((await harness.read(PATH))?.toString()).toBe('whole');
    });

    it('ends by the signal, at once or in the middle', async () => {
      const abort = new AbortController();
      const saving = harness.store.save(
        FILE,
        chunksOf('one', () => abort.abort(), 'two', 'three'),
        abort.signal,
      );
      await expect(saving).rejects.toMatchObject({ name: 'AbortError' });
      await expect(harness.store.save(FILE, chunksOf('one'), abort.signal)).rejects.toMatchObject({
        name: 'AbortError',
      });
      expect(await harness.list()).toEqual([]);
    });

    it('sweeps when there is nothing to sweep, and leaves what is whole', async () => {
      await harness.store.sweep();
      await harness.store.save(FILE, chunksOf('whole'), signal);
      await harness.store.sweep();
      expect(await harness.list()).toEqual([PATH]);
    });
  });
}
