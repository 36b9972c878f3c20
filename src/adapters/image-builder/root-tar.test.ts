import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergedPath, rootTar } from './root-tar.js';

const hasDpkg = (() => {
  try {
    execFileSync('dpkg-deb', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('mergedPath', () => {
  it.each([
    ['./bin/sh', 'usr/bin/sh'],
    ['./lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'],
    ['./usr/bin/env', 'usr/bin/env'],
    ['./bin/', 'bin'],
    ['./', ''],
    ['.', ''],
    ['./etc/passwd', 'etc/passwd'],
    ['./library/x', 'library/x'],
  ])('%s → %s', (path, merged) => expect(mergedPath(path)).toBe(merged));
});

describe.skipIf(!hasDpkg)('rootTar', () => {
  let directory: string;
  const signal = AbortSignal.timeout(30_000);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'root-tar-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function deb(name: string, files: Readonly<Record<string, string>>, more?: (root: string) => Promise<void>) {
    const root = join(directory, name);
    await mkdir(join(root, 'DEBIAN'), { recursive: true });
    await writeFile(
      join(root, 'DEBIAN', 'control'),
      `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: test\n`,
    );
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    await more?.(root);
    execFileSync('dpkg-deb', ['--root-owner-group', '--build', root, join(directory, `${name}_1_all.deb`)], {
      stdio: 'ignore',
    });
    return join(directory, `${name}_1_all.deb`);
  }

  async function unpack(tar: AsyncIterable<Uint8Array>) {
    const entries = new Map<string, { header: Header; text: string }>();
    const unpacking = extract();
    unpacking.on('entry', (header, stream, next) => {
      let text = '';
      stream.on('data', (chunk) => (text += String(chunk)));
      stream.on('end', () => {
        expect(entries.has(header.name), `twice: ${header.name}`).toBe(false);
        entries.set(header.name, { header, text });
        next();
      });
      stream.resume();
    });
    await pipeline(Readable.from(tar), unpacking as unknown as NodeJS.WritableStream);
    return entries;
  }

  it('merges packages under /usr with modes, links and the work of maintainer scripts', async () => {
    const long = `usr/share/${'deep/'.repeat(40)}file`;
    const one = await deb(
      'one',
      {
        'bin/dash': 'shell',
        'usr/share/base-passwd/passwd.master': 'root::0:0::/root:/bin/sh\n',
        'usr/share/ca-certificates/mozilla/a.crt': 'CERT A\n',
        'usr/share/man/man1/dash.1': 'manual',
        'usr/share/doc/one/copyright': 'licence',
        'usr/share/doc/one/changelog': 'history',
        'etc/empty': '',
        [long]: 'far',
      },
      async (root) => {
        await chmod(join(root, 'bin/dash'), 0o4755);
        await link(join(root, 'bin/dash'), join(root, 'bin/hard'));
        await symlink('/etc/empty', join(root, 'etc/link'));
      },
    );
    const two = await deb('two', { 'usr/bin/dash': 'other', 'usr/lib/x.so': 'library' });
    await writeFile(join(directory, 'mine'), 'mine');

    const entries = await unpack(
      rootTar({
        packages: [one, two],
        files: [{ path: 'usr/bin/mine', source: join(directory, 'mine'), mode: 0o755 }],
        links: { 'usr/bin/also': 'mine' },
        signal,
      }),
    );
    const text = (name: string) => entries.get(name)?.text;
    expect(text('usr/bin/dash')).toBe('shell');
    expect(entries.get('usr/bin/dash')?.header).toMatchObject({ mode: 0o4755, uid: 0, gid: 0 });
    expect(entries.get('usr/bin/hard')?.header).toMatchObject({ type: 'link', linkname: 'usr/bin/dash' });
    expect(entries.get('etc/link')?.header).toMatchObject({ type: 'symlink', linkname: '/etc/empty' });
    expect(entries.get('bin')?.header).toMatchObject({ type: 'symlink', linkname: 'usr/bin' });
    expect(entries.get('usr/bin/sh')?.header.linkname).toBe('dash');
    expect(entries.get('usr/bin/also')?.header.linkname).toBe('mine');
    expect(entries.get('usr/bin/mine')).toMatchObject({ text: 'mine', header: { mode: 0o755 } });
    expect(text('usr/lib/x.so')).toBe('library');
    expect(text(long)).toBe('far');
    expect(text('etc/empty')).toBe('');
    expect(text('etc/passwd')).toContain('root::0');
    expect(text('etc/ssl/certs/ca-certificates.crt')).toBe('CERT A\n\n');
    expect(text('usr/share/doc/one/copyright')).toBe('licence');
    expect(entries.has('usr/share/doc/one/changelog')).toBe(false);
    expect(entries.has('usr/share/man/man1/dash.1')).toBe(false);
    expect(entries.get('tmp')?.header.mode).toBe(0o1777);
  });

  it('fails for a package that can not be read', async () => {
    const broken = join(directory, 'broken_1_all.deb');
    await writeFile(broken, 'not a package');
    await expect(unpack(rootTar({ packages: [broken], files: [], links: {}, signal }))).rejects.toThrow(/broken_1_all/);
  });

  it('stops when its reader stops', async () => {
    const big = await deb('big', { 'usr/lib/big': 'x'.repeat(20_000_000) });
    const iterator = rootTar({ packages: [big], files: [], links: {}, signal })[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return(undefined);
    expect((await iterator.next()).done).toBe(true);
  });
});
