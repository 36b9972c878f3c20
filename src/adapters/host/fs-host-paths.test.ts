import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FsHostPaths } from './fs-host-paths.adapter.js';

describe('FsHostPaths', () => {
  const paths = new FsHostPaths();
  let folder: string;

  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'host-paths-')));
    await mkdir(join(folder, 'dir'));
    await writeFile(join(folder, 'dir', 'file'), '');
    await symlink(join(folder, 'dir'), join(folder, 'link'));
    await symlink(join(folder, 'nowhere'), join(folder, 'dangling'));
    await symlink(join(folder, 'loop'), join(folder, 'loop'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it.each([
    ['dir', 'directory', 'dir'],
    ['dir/file', 'file', 'dir/file'],
    ['link', 'directory', 'dir'],
    ['link/file', 'file', 'dir/file'],
    ['dir/../link/file', 'file', 'dir/file'],
  ])('%s is a %s at %s', async (asked, kind, real) => {
    expect(await paths.look(join(folder, '.') + `/${asked}`)).toEqual({ kind, realPath: join(folder, real) });
  });

  it('calls devices and sockets something else', async () => {
    expect(await paths.look('/dev/null')).toEqual({ kind: 'other', realPath: '/dev/null' });
  });

  it.each(['nothing', 'dangling', 'loop', 'dir/file/below'])('finds nothing at %s', async (asked) => {
    expect(await paths.look(join(folder, asked))).toBeUndefined();
  });

  it.each(['', 'relative/path', '/tmp\0x'])('finds nothing at %j', async (asked) => {
    expect(await paths.look(asked)).toBeUndefined();
  });
});
