import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DebianPackages, parseDownloadPercent } from './debian-packages.js';

describe('DebianPackages', () => {
  let directory: string;
  const signal = AbortSignal.timeout(20_000);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'debian-packages-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** An apt-get that behaves as the shell code says; `$archives` is where packages belong. */
  async function apt(code: string): Promise<DebianPackages> {
    const program = join(directory, 'apt-get');
    const archives = join(directory, 'archives');
    await writeFile(program, `#!/bin/sh\narchives=${archives}\necho "$*" >>${directory}/calls\n${code}\n`);
    await chmod(program, 0o755);
    return new DebianPackages(program);
  }
  const calls = async () => (await readFile(join(directory, 'calls'), 'utf8')).trimEnd().split('\n');

  it('resolves against an empty system and tells how far it is', async () => {
    const packages = await apt(
      'test -f "${archives%/archives}/status" || exit 9; echo dlstatus:1:50.5:x >&3; echo pmstatus:a:1:x >&3; : >$archives/b_1_all.deb; : >$archives/a_1_all.deb',
    );
    const percents: number[] = [];
    const paths = await packages.download({
      packages: ['a', 'b'],
      directory,
      signal,
      onPercent: (percent) => percents.push(percent),
    });
    expect(paths).toEqual(['a_1_all.deb', 'b_1_all.deb'].map((name) => join(directory, 'archives', name)));
    expect(percents).toEqual([50.5]);
    expect(await calls()).toHaveLength(1);
    expect((await calls())[0]).toMatch(/--download-only install -- a b$/);
  });

  it('fetches lists of its own when the machine has none', async () => {
    const packages = await apt(
      'case "$*" in *" update") : >"$archives/../updated";; *) test -e "$archives/../updated" || { echo "E: Unable to locate package a" >&2; exit 100; }; : >$archives/a_1_all.deb;; esac',
    );
    let updates = 0;
    const paths = await packages.download({ packages: ['a'], directory, signal, onUpdate: () => updates++ });
    expect(paths).toHaveLength(1);
    expect(updates).toBe(1);
    const [, update, install] = await calls();
    expect(update).toContain(`Dir::State::lists=${directory}/lists`);
    expect(install).toContain(`Dir::State::lists=${directory}/lists`);
  });

  it.each([
    [
      'echo "E: Temporary failure resolving the archive" >&2; exit 100',
      'ImagePullError',
      /Temporary failure resolving/,
    ],
    ['exit 7', 'ImagePullError', /status 7/],
    ['echo "E: You don\'t have enough free space in x." >&2; exit 100', 'StorageError', /no space/],
    ['echo "E: Write error - write (28: No space left on device)" >&2; exit 100', 'StorageError', /no space/],
  ])('explains a failure: %s', async (code, name, message) => {
    const packages = await apt(code);
    const error = await packages.download({ packages: ['a'], directory, signal }).catch((e: unknown) => e);
    expect(error).toMatchObject({ name, message: expect.stringMatching(message), hint: expect.stringMatching(/./) });
  });

  it('says what to do on a machine without apt', async () => {
    const packages = new DebianPackages(join(directory, 'nothing'));
    const error = await packages.download({ packages: ['a'], directory, signal }).catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'ImageNotAvailable', hint: expect.stringContaining('--image') });
  });

  it('ends apt when it is cancelled', async () => {
    const packages = await apt('exec sleep 60');
    const controller = new AbortController();
    const started = performance.now();
    setTimeout(() => controller.abort(), 200);
    await expect(packages.download({ packages: ['a'], directory, signal: controller.signal })).rejects.toHaveProperty(
      'name',
      'AbortError',
    );
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('parseDownloadPercent', () => {
  it.each([
    ['dlstatus:3:12.5000:Retrieving file 3 of 9', 12.5],
    ['dlstatus:3:100:x', 100],
    ['pmstatus:dpkg:20:Installing', undefined],
    ['', undefined],
  ])('%s', (line, percent) => expect(parseDownloadPercent(line)).toBe(percent));
});
