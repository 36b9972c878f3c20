import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VfolderMount } from '../kernel/kernel-spec.js';
import { checkMountFacts, resolveMounts, SYSTEM_PATHS } from './mount-rules.js';
import { isSameOrBelow } from './paths.js';

const PROTECTED = ['/tmp/backend.ai/scratches', '/var/lib/backend.ai/'];

function mount(hostPath: string, kernelPath = '/home/work/data'): VfolderMount {
  return { name: 'data', hostPath, kernelPath, permission: 'rw', usageMode: 'general' };
}

function targets(...kernelPaths: string[]): string[] {
  const mounts = kernelPaths.map((path) => mount('/mnt/x', path));
  return resolveMounts(mounts, PROTECTED).map(({ kernelPath }) => kernelPath);
}

describe('resolveMounts', () => {
  it.each([
    '/mnt/data',
    '/home/me',
    '/data/a b/ü',
    '/run/user/1000/x',
    '/tmp/x',
    '/tmp/backend.ai/other',
    '/etcetera',
    '/var/lib/mine',
  ])('allows the host path %s', (path) => {
    expect(resolveMounts([mount(path)], PROTECTED)).toEqual([mount(path)]);
  });

  it.each([
    ...SYSTEM_PATHS,
    '/etc/shadow',
    '/proc/1/root',
    '/dev/sda',
    '/run',
    '/var/run',
    '/var',
    '/var/lib',
    '/var/lib/docker/volumes',
    '/tmp',
    '/tmp/backend.ai',
    '/tmp/backend.ai/scratches',
    '/tmp/backend.ai/scratches/x/config',
    '/var/lib/backend.ai/state',
    'data',
    './data',
    '',
    '/mnt/../etc',
    '/mnt/..',
    '/mnt//data',
    '/mnt/./data',
    '/mnt/data/',
    '/mnt/a:b',
    '/mnt/a,b',
    '/mnt/a\nb',
    '/mnt/a\0b',
    `/${'x'.repeat(5000)}`,
  ])('refuses the host path %.40j', (path) => {
    expect(() => resolveMounts([mount('/mnt/ok', '/home/work/a'), mount(path)], PROTECTED)).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError', field: 'mounts[1].host_path' }),
    );
  });

  it('puts relative kernel paths below /home/work, and normalises all', () => {
    expect(targets('data', '.local', '/mnt//x/', '/home/work/./y', '/tmp', '/tmp2/z')).toEqual([
      '/home/work/data',
      '/home/work/.local',
      '/mnt/x',
      '/home/work/y',
      '/tmp',
      '/tmp2/z',
    ]);
  });

  it.each([
    '/',
    '/home',
    '/opt',
    '/home/work',
    '.',
    '/home/work/',
    '/home/config',
    '/home/config/x',
    '/opt/backend.ai/bin',
    '/opt/kernel',
    '/proc',
    '/proc/cpuinfo',
    '/sys/fs',
    '/dev/shm',
    '/etc/passwd',
    '/usr',
    '/usr/lib',
    '/run',
    '../x',
    '/home/work/../config',
    'a:b',
    'a,b',
    'a\nb',
    '',
  ])('refuses the kernel path %j', (path) => {
    expect(() => targets(path)).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError', field: 'mounts[0].kernel_path' }),
    );
  });

  it.each([
    ['data', '/home/work/data'],
    ['/mnt/a', '/mnt/a/b'],
    ['/mnt/a/b', '/mnt/a'],
  ])('refuses %s together with %s', (first, second) => {
    expect(() => targets(first, second)).toThrow(expect.objectContaining({ field: 'mounts[1].kernel_path' }));
  });

  it('does not take a common beginning for an overlap', () => {
    expect(targets('/mnt/a', '/mnt/ab')).toHaveLength(2);
  });

  it('lets nothing near a protected path through, however it is written', () => {
    const part = fc.constantFrom(
      'etc',
      'proc',
      'var',
      'run',
      'docker.sock',
      'tmp',
      'backend.ai',
      'scratches',
      'x',
      '..',
      '.',
      '',
    );
    const path = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(path, (hostPath) => {
        let passed: VfolderMount[] = [];
        try {
          passed = resolveMounts([mount(hostPath)], PROTECTED);
        } catch {
          return;
        }
        for (const { hostPath: allowed } of passed) {
          expect(allowed.split('/')).not.toContain('..');
          for (const forbidden of ['/etc', '/proc', '/var/run/docker.sock', '/tmp/backend.ai/scratches']) {
            expect(isSameOrBelow(allowed, forbidden) || isSameOrBelow(forbidden, allowed)).toBe(false);
          }
        }
      }),
    );
  });
});

describe('checkMountFacts', () => {
  const asked = mount('/mnt/data');
  const check = (facts: Parameters<typeof checkMountFacts>[1]) => () =>
    checkMountFacts(asked, facts, 'mounts[0].host_path');

  it('takes directories and files that are what they are called', () => {
    expect(check({ kind: 'directory', realPath: '/mnt/data' })).not.toThrow();
    expect(check({ kind: 'file', realPath: '/mnt/data' })).not.toThrow();
  });

  it.each([
    ['nothing', undefined, /does not exist/],
    [
      'a symlink',
      { kind: 'directory', realPath: '/etc' } as const,
      /\/mnt\/data is a symbolic link, or below one, to \/etc/,
    ],
    ['a socket', { kind: 'other', realPath: '/mnt/data' } as const, /neither a directory nor a file/],
  ])('refuses %s', (_, facts, message) => {
    expect(check(facts)).toThrow(
      expect.objectContaining({ field: 'mounts[0].host_path', message: expect.stringMatching(message) }),
    );
  });
});
