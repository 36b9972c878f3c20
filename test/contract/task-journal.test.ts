import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileTaskJournal } from '../../src/adapters/host/file-task-journal.adapter.js';
import { MemoryTaskJournal } from '../support/memory-task-journal.js';
import { describeTaskJournal } from './task-journal.contract.js';

async function files() {
  const root = await mkdtemp(join(tmpdir(), 'task-journal-'));
  const folder = join(root, 'var', 'tasks');
  return {
    root,
    folder,
    journal: new FileTaskJournal(folder),
    reopen: () => new FileTaskJournal(folder),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

describeTaskJournal('files', files);

describeTaskJournal('memory', () => {
  const journal = new MemoryTaskJournal();
  return Promise.resolve({ journal, reopen: () => journal, [Symbol.asyncDispose]: () => Promise.resolve() });
});

describe('FileTaskJournal', () => {
  it('knows at least the id of a record that is broken, and forgets what a crash left half-written', async () => {
    await using place = await files();
    await mkdir(place.folder, { recursive: true });
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    await writeFile(join(place.folder, `${ids[0]}.json`), '{"version":1,"na');
    await writeFile(join(place.folder, `${ids[1]}.json`), '');
    await writeFile(join(place.folder, `${ids[2]}.json`), '{"version":2,"name":"x","end":null}');
    await writeFile(join(place.folder, `.tmp-${ids[0]}.json-00`), 'x');
    await writeFile(join(place.folder, 'notes.txt'), 'x');
    const found = await place.journal.load();
    expect(new Set(found.map(({ id }) => id))).toEqual(new Set(ids));
    expect(found.every(({ end }) => end === null)).toBe(true);
    for (const id of ids) await place.journal.remove(id);
    expect(await readdir(place.folder)).toEqual(['notes.txt']);
  });

  it('is for its agent alone, and says what is wrong with its folder', async () => {
    await using place = await files();
    await place.journal.save({ id: randomUUID(), name: 'x', end: null });
    expect((await stat(place.folder)).mode & 0o777).toBe(0o700);
    const blocked = new FileTaskJournal(join(place.root, 'file', 'tasks'));
    await writeFile(join(place.root, 'file'), '');
    for (const attempt of [() => blocked.save({ id: randomUUID(), name: 'x', end: null }), () => blocked.load()]) {
      await expect(attempt()).rejects.toMatchObject({ name: 'StorageError', hint: expect.any(String) });
    }
  });
});
