import { beforeEach, describe, expect, it } from 'vitest';
import { type FakeAgent, FakeMachine, kernelIdOf } from '../../../test/support/fake-agent.js';
import { KERNEL_ID, kernelSpec } from '../../../test/support/kernel-records.js';
import { filesOfTar } from '../../../test/support/tar.js';
import type { VfolderMount } from '../../domain/kernel/kernel-spec.js';

const MEBIBYTE = 1024 * 1024;
const signal = new AbortController().signal;

let machine: FakeMachine;
let agent: FakeAgent;

const mount = (name: string, permission: VfolderMount['permission']): VfolderMount => ({
  ...{ name, hostPath: `/srv/${name}`, kernelPath: `/home/work/${name}`, permission, usageMode: 'general' },
});

beforeEach(async () => {
  machine = new FakeMachine();
  agent = await machine.boot();
  const mounts = [mount('data', 'rw'), mount('shared', 'ro')];
  await machine.finish(agent.create(kernelSpec({ mounts })));
});

const files = () => agent.useCases.files;
const upload = (path: string, data: Uint8Array) => files().upload(KERNEL_ID, path, data, signal);

describe("a kernel's files", () => {
  it('come back as they went, one by one and as an archive', async () => {
    await upload('dir/file', Buffer.from('content'));
    await upload('data/result', Buffer.from([0, 255]));
    expect(machine.files.files.has('/srv/data/result')).toBe(true);
    expect(Buffer.from(await files().downloadFile(KERNEL_ID, 'dir/file', signal)).toString()).toBe('content');
    expect(await files().downloadFile(KERNEL_ID, 'data/result', signal)).toEqual(new Uint8Array([0, 255]));
    const archive = await files().downloadArchive(KERNEL_ID, 'dir', signal);
    const chunks = (async function* () {
      yield await Promise.resolve(archive);
    })();
    expect([...(await filesOfTar(chunks))]).toEqual([['dir/file', Buffer.from('content')]]);
  });

  it('are listed as ls does', async () => {
    await upload('file', Buffer.from('four'));
    await upload('dir/x', Buffer.alloc(0));
    const listing = await files().list(KERNEL_ID, '.', signal);
    expect(listing).toMatchObject({ errors: '', path: '.' });
    expect(listing.files.map(({ name, mode, sizeBytes }) => [name, mode, sizeBytes])).toEqual([
      ['dir', 'drwxr-xr-x', 0],
      ['file', '-rw-r--r--', 4],
    ]);
  });

  it('that are not there are told in the listing, those outside are not listed', async () => {
    await upload('file', Buffer.from('x'));
    for (const path of ['nothing', 'file']) {
      const listing = await files().list(KERNEL_ID, path, signal);
      expect(listing).toEqual({ files: [], errors: expect.stringContaining(path) as string, path });
    }
    await expect(files().list(KERNEL_ID, '/etc', signal)).rejects.toMatchObject({ name: 'PermissionError' });
  });

  it('in read-only mounts stay as they are', async () => {
    await expect(upload('shared/x', Buffer.from('x'))).rejects.toMatchObject({ name: 'PermissionError' });
  });

  it('that are too large are refused without reading them all', async () => {
    machine.files.files.set(`${machine.scratch.paths(KERNEL_ID).work}/large`, Buffer.alloc(8 * MEBIBYTE));
    const tooLarge = { name: 'InvalidArgumentError', message: /1 MiB/, hint: /vfolder/ };
    await expect(files().downloadFile(KERNEL_ID, 'large', signal)).rejects.toMatchObject(tooLarge);
    expect(machine.files.bytesRead).toBeLessThan(2 * MEBIBYTE);
    await expect(files().downloadArchive(KERNEL_ID, 'large', signal)).rejects.toMatchObject(tooLarge);
    const data = new Uint8Array(64 * MEBIBYTE + 1);
    await expect(upload('huge', data)).rejects.toMatchObject({ name: 'InvalidArgumentError', message: /64 MiB/ });
    await upload('whole', new Uint8Array(MEBIBYTE));
    expect(await files().downloadFile(KERNEL_ID, 'whole', signal)).toHaveLength(MEBIBYTE);
  });

  it('of no kernel are nowhere', async () => {
    const unknown = { name: 'KernelNotFoundError' };
    const other = kernelIdOf(9);
    await expect(files().upload(other, 'x', new Uint8Array(), signal)).rejects.toMatchObject(unknown);
    await expect(files().downloadFile(other, 'x', signal)).rejects.toMatchObject(unknown);
    await expect(files().downloadArchive(other, 'x', signal)).rejects.toMatchObject(unknown);
    await expect(files().list(other, 'x', signal)).rejects.toMatchObject(unknown);
  });
});
