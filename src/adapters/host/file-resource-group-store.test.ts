import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileResourceGroupStore } from './file-resource-group-store.adapter.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'backend-ai-group-'));
  path = join(folder, 'var', 'resource-group.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('FileResourceGroupStore', () => {
  it('keeps the last name for the next agent, and nothing else beside it', async () => {
    expect(await new FileResourceGroupStore(path).load()).toBeUndefined();
    await new FileResourceGroupStore(path).save({ resourceGroup: 'one', configured: 'two' });
    const last = { resourceGroup: 'zwei "drei"', configured: null };
    await new FileResourceGroupStore(path).save(last);
    expect(await new FileResourceGroupStore(path).load()).toEqual(last);
    expect(await readdir(join(folder, 'var'))).toEqual(['resource-group.json']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  const group = '"resourceGroup":"x"';
  it.each(['', '{}', `{"version":2,${group},"configured":null}`, `{"version":1,${group},"configured":5}`])(
    'tells that %j is none of its own',
    async (text) => {
      path = join(folder, 'broken.json');
      await writeFile(path, text);
      await expect(new FileResourceGroupStore(path).load()).rejects.toMatchObject({
        ...{ name: 'StorageError', hint: expect.stringContaining('remove') as string },
        message: expect.stringContaining(path) as string,
      });
    },
  );

  it('tells that it cannot be written', async () => {
    await writeFile(join(folder, 'var'), 'a file where a folder belongs');
    await expect(new FileResourceGroupStore(path).save({ resourceGroup: 'x', configured: null })).rejects.toMatchObject(
      { name: 'StorageError' },
    );
  });
});
