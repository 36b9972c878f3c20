import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KERNEL_ID, kernelRecord, kernelSpec } from '../../../test/support/kernel-records.js';
import { parseKernelId } from '../../domain/kernel/kernel-id.js';
import { FileKernelStore } from './file-kernel-store.adapter.js';
import { fromDocument, toDocument } from './kernel-record-document.js';

const OTHER_ID = parseKernelId('7f3d2c1b-0000-4000-8000-000000000009');

describe('FileKernelStore', () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'kernel-store-')), 'kernels');
    path = join(folder, `${KERNEL_ID}.json`);
  });

  afterEach(async () => {
    await rm(join(folder, '..'), { recursive: true });
  });

  it('lets nobody else read what it keeps', async () => {
    await new FileKernelStore(folder).save(kernelRecord());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await readdir(folder)).toEqual([`${KERNEL_ID}.json`]);
  });

  it('sets a broken record aside, tells it once, and gives the others', async () => {
    const store = new FileKernelStore(folder);
    await store.save(kernelRecord());
    await store.save(kernelRecord({ spec: kernelSpec({ kernelId: OTHER_ID }) }));
    await writeFile(path, '{"format": 1');
    const { records, broken } = await store.load();
    expect(records.map((record) => record.spec.kernelId)).toEqual([OTHER_ID]);
    expect(broken).toEqual([{ path: join(folder, 'broken', `${KERNEL_ID}.json`), problem: expect.any(String) }]);
    expect(await readFile(broken[0]!.path, 'utf8')).toBe('{"format": 1');
    expect((await store.load()).broken).toEqual([]);
  });

  it.each([
    ['of another kernel', (text: string) => text, `${OTHER_ID}.json`],
    ['changed by hand', (text: string) => text.replace('30003', '30004'), `${KERNEL_ID}.json`],
    ['of a later format', (text: string) => text.replace('"format": 1', '"format": 2'), `${KERNEL_ID}.json`],
    ['empty', () => '', `${KERNEL_ID}.json`],
    ['null', () => 'null', `${KERNEL_ID}.json`],
    ['without a record', () => '{"format":1,"sha256":""}', `${KERNEL_ID}.json`],
    ['huge', () => ' '.repeat(16 * 2 ** 20 + 1), `${KERNEL_ID}.json`],
  ])('does not believe a record that is %s', async (_case, spoil, name) => {
    const store = new FileKernelStore(folder);
    await store.load();
    await writeFile(join(folder, name), spoil(toDocument(kernelRecord())));
    const { records, broken } = await store.load();
    expect(records).toEqual([]);
    expect(broken).toHaveLength(1);
  });

  it('does not follow links, stumble over folders, or mind other files', async () => {
    const store = new FileKernelStore(folder);
    await store.load();
    await writeFile(join(folder, '..', 'elsewhere.json'), toDocument(kernelRecord()));
    await symlink(join(folder, '..', 'elsewhere.json'), path);
    await writeFile(join(folder, 'notes.txt'), 'x');
    await writeFile(join(folder, '.tmp-left-by-a-crash.json'), '{');
    const { records, broken } = await store.load();
    expect(records).toEqual([]);
    expect(broken).toHaveLength(1);
    expect((await readdir(folder)).sort()).toEqual(['broken', 'notes.txt']);
  });

  it('says what is wrong when it cannot write', async () => {
    await writeFile(folder, 'a file where the folder should be');
    await expect(new FileKernelStore(folder).save(kernelRecord())).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringContaining(KERNEL_ID),
    });
  });
});

describe('the document of a kernel record', () => {
  it('is either whole or recognised as broken, wherever it is cut', () => {
    const document = Buffer.from(toDocument(kernelRecord()));
    expect(fromDocument(document.toString())).toEqual(kernelRecord());
    for (let length = 0; length < document.length; length += 1) {
      expect(() => fromDocument(document.subarray(0, length).toString()), `${length} bytes`).toThrow();
    }
  });

  it('is recognised as broken whichever byte of the record flips', () => {
    const document = Buffer.from(toDocument(kernelRecord()));
    const start = document.indexOf('"record"');
    for (let at = start; at < document.length; at += 1) {
      const spoilt = Buffer.from(document);
      spoilt[at]! ^= 0x01;
      let read: unknown;
      try {
        read = fromDocument(spoilt.toString());
      } catch {
        continue;
      }
      // White space between the parts may change; what is said may not.
      expect(read, `byte ${at}`).toEqual(kernelRecord());
    }
  });

  it('is refused with a right checksum over a wrong record', () => {
    const wrong = { ...kernelRecord(), state: 'SLEEPING' } as unknown as Parameters<typeof toDocument>[0];
    expect(() => fromDocument(toDocument(wrong))).toThrow('state');
  });
});
