import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KernelVolumeMounts } from '../../src/adapters/storage/kernel-volume-mounts.adapter.js';

const call = { signal: new AbortController().signal, timeoutMs: 10_000 };
const isRoot = process.getuid?.() === 0;
let folder: string;
let mounts: KernelVolumeMounts;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mounts-'));
  await writeFile(join(folder, 'fstab'), '# kept\n');
  mounts = new KernelVolumeMounts({ fstab: join(folder, 'fstab'), mountinfo: '/proc/self/mountinfo' });
});
afterEach(async () => {
  for (const target of await mounts.list([folder])) execFileSync('umount', [target]);
  await rm(folder, { recursive: true });
});

describe.skipIf(!isRoot)('KernelVolumeMounts (needs root)', () => {
  const volume = () => ({
    source: 'scratch',
    type: 'tmpfs',
    options: 'size=64k,mode=700',
    target: join(folder, 'a b'),
  });

  it('mounts once, remembers, lists, unmounts and forgets', async () => {
    await mounts.mount(volume(), true, call);
    await mounts.mount(volume(), true, call);
    expect(await mounts.list([folder])).toEqual([join(folder, 'a b')]);
    expect(await mounts.list(['/nowhere'])).toEqual([]);
    expect(await mounts.fstab()).toBe(`# kept\nscratch ${folder}/a\\040b tmpfs size=64k,mode=700 0 0\n`);

    await mounts.unmount(volume().target, true, call);
    expect(await mounts.list([folder])).toEqual([]);
    expect(await readFile(join(folder, 'fstab'), 'utf8')).toBe('# kept\n');
    await expect(stat(volume().target)).rejects.toThrow('ENOENT');
  });

  it('tells what mount refused, and writes nothing down', async () => {
    const refused = mounts.mount({ ...volume(), type: 'no-such-fs' }, true, call);
    await expect(refused).rejects.toThrow(/unknown filesystem type|wrong fs type/);
    await expect(stat(volume().target)).rejects.toThrow('ENOENT');
    expect(await mounts.fstab()).toBe('# kept\n');
  });

  it('finds nothing to unmount a success', async () => {
    await expect(mounts.unmount(join(folder, 'never'), false, call)).resolves.toBeUndefined();
  });
});
