import { describe, expect, it } from 'vitest';
import { parseKernelId, parseSessionId } from '../kernel/kernel-id.js';
import type { KernelSpec } from '../kernel/kernel-spec.js';
import { dotfileToScratchFile } from './dotfile-path.js';
import { planConfigFiles, planScratchFiles } from './plan-scratch-files.js';

const keypair = { publicKey: 'pub', privateKey: 'priv' };
const spec: KernelSpec = {
  kernelId: parseKernelId('11111111-2222-3333-4444-555555555555'),
  sessionId: parseSessionId('aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'),
  image: { canonical: 'python', isLocal: false, autoPull: 'none' },
  sessionType: 'interactive',
  clusterRole: 'main',
  clusterIdx: 1,
  clusterHostname: 'main1',
  cluster: { mode: 'single-node', size: 1, replicas: {}, networkConfig: {} },
  identity: { supplementaryGids: [] },
  resourceSlots: {},
  allowFractionalFragmentation: true,
  environ: {},
  mounts: [],
  dotfiles: [],
  preventVfolderMounts: false,
  blockServicePorts: false,
  sudoSessionEnabled: false,
  preopenPorts: [],
  agentAddr: '',
  scalingGroup: '',
};
const plan = (change: Partial<KernelSpec> = {}, mounts: KernelSpec['mounts'] = []) =>
  planScratchFiles({
    ...{ spec: { ...spec, ...change }, environ: { A: '1' }, resourceTxt: 'CID=x\n', mounts },
    hostKeySeed: 'ab'.repeat(32),
  });
const paths = (...args: Parameters<typeof plan>): string[] => plan(...args).map(({ path }) => path);

describe('planScratchFiles', () => {
  it('writes configuration for all to read and a home for the user', () => {
    const files = plan();
    expect(files.slice(0, 4)).toEqual(planConfigFiles({ A: '1' }, 'CID=x\n'));
    expect(files[0]).toEqual({ path: 'config/environ.txt', data: 'A=1\n', mode: 0o644, owned: false });
    expect(files.find(({ path }) => path === 'work/.bashrc')).toMatchObject({ owned: true, onlyIfAbsent: true });
    expect(files.every(({ path }) => /^(config|work)\//.test(path))).toBe(true);
  });

  it('gives every kernel a host key of its own', () => {
    const seed = plan().find(({ path }) => path === 'config/ssh/host_key.seed');
    expect(seed).toMatchObject({ data: `${'ab'.repeat(32)}\n`, mode: 0o600, owned: true });
  });

  it('keeps secrets to the user', () => {
    const cluster = { ...spec.cluster, sshKeypair: keypair, sshPortMapping: { main1: ['h', 1] as const } };
    const files = plan({ cluster, sshKeypair: keypair, dockerCredentials: { u: 'p' } });
    const secrets = files.filter(({ data }) => data === 'priv' || data === '{"u":"p"}');
    expect(secrets.map(({ path }) => path)).toEqual([
      'config/docker-creds.json',
      'config/ssh/id_cluster',
      'work/.ssh/id_rsa',
      'work/id_container',
    ]);
    for (const file of secrets) expect(file).toMatchObject({ mode: 0o600, owned: true });
    expect(files.map(({ path }) => path)).toContain('config/ssh/port-mapping.json');
  });

  it('does not write into an .ssh that is mounted', () => {
    const mount = {
      name: '.ssh',
      hostPath: '/x',
      kernelPath: '/home/work/.ssh',
      permission: 'rw',
      usageMode: 'general',
    } as const;
    expect(paths({ sshKeypair: keypair }, [mount]).filter((path) => /^work\/(?:\.ssh|id_)/.test(path))).toEqual([
      'work/id_container',
    ]);
  });

  it('writes a bootstrap script, and dotfiles last so that they win', () => {
    const dotfiles = [{ path: '.bashrc', mode: 0o600, data: 'mine' }];
    const files = plan({ bootstrapScript: 'echo\n', dotfiles });
    expect(files.at(-1)).toEqual({ path: 'work/.bashrc', data: 'mine\n', mode: 0o600, owned: true });
    expect(files.find(({ path }) => path === 'work/bootstrap.sh')).toMatchObject({ data: 'echo\n', owned: true });
  });
});

describe('dotfiles', () => {
  const place = (path: string): string => dotfileToScratchFile({ path, mode: 0o4755, data: 'x\n' }, 'd').path;

  it.each([
    ['.vimrc', 'work/.vimrc'],
    ['./.config//nvim/init.vim', 'work/.config/nvim/init.vim'],
    ['/home/work/.vimrc', 'work/.vimrc'],
    ['/home/config/mine.toml', 'config/mine.toml'],
  ])('%s goes to %s', (path, expected) => {
    expect(place(path)).toBe(expected);
  });

  it.each([
    '/etc/passwd',
    '/root/.bashrc',
    '/home/other/x',
    '/home/work',
    '/home/work/',
    '.',
    '',
    '../x',
    'a/../../x',
    '/home/work/../../etc/x',
    'a\0b',
    'a\nb',
    '/home/config/environ.txt',
    '/home/config/resource_base.txt',
    '/home/config/docker-creds.json',
    '/home/config/ssh/id_cluster',
    '/home/workshop/x',
  ])('refuses %j', (path) => {
    expect(() => place(path)).toThrow(expect.objectContaining({ name: 'InvalidArgumentError', field: 'd.path' }));
  });

  it('have no set-user-id bit', () => {
    expect(dotfileToScratchFile({ path: 'x', mode: 0o4755, data: '' }, 'd')).toMatchObject({ mode: 0o755, data: '\n' });
  });
});
