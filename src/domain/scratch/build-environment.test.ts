import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKernelId, parseSessionId } from '../kernel/kernel-id.js';
import type { KernelSpec } from '../kernel/kernel-spec.js';
import { buildEnvironment, type EnvironmentInput } from './build-environment.js';
import { checkEnviron, renderEnviron } from './environ.js';
import { resolveIdentity } from './identity.js';

const spec: KernelSpec = {
  kernelId: parseKernelId('11111111-2222-3333-4444-555555555555'),
  sessionId: parseSessionId('aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'),
  image: { canonical: 'python', isLocal: false, autoPull: 'none' },
  sessionType: 'interactive',
  clusterRole: 'main',
  clusterIdx: 1,
  clusterHostname: 'main1',
  cluster: { mode: 'single-node', size: 1, replicas: { main: 1, sub: 2 }, networkConfig: {} },
  identity: { supplementaryGids: [] },
  resourceSlots: {},
  allowFractionalFragmentation: true,
  environ: {},
  mounts: [],
  dotfiles: [],
  preventVfolderMounts: false,
  blockServicePorts: false,
  sudoSessionEnabled: false,
  preopenPorts: [7000],
  agentAddr: '',
  scalingGroup: '',
};
const input: EnvironmentInput = {
  spec,
  identity: { uid: 1000, gid: 1001, additionalGids: [5, 7] },
  image: 'cr/x:1',
  servicePortsLabel: 'a:tcp:3000',
  coreCountVariables: ['OMP_NUM_THREADS', 'NPROC'],
  mounts: [],
  allocation: { cpu: { cpu: { 0: '1', 3: '1' } } },
  attached: { cpu: [{ deviceId: '0', modelName: '', memoryBytes: null }], mock: [] },
  deviceEnv: [],
};
const withEnviron = (environ: Record<string, string>): EnvironmentInput => ({ ...input, spec: { ...spec, environ } });

describe('buildEnvironment', () => {
  it('fills in what a Manager would have sent', () => {
    expect(buildEnvironment(input)).toEqual({
      BACKENDAI_KERNEL_ID: spec.kernelId,
      BACKENDAI_SESSION_ID: spec.sessionId,
      BACKENDAI_KERNEL_IMAGE: 'cr/x:1',
      BACKENDAI_CLUSTER_ROLE: 'main',
      BACKENDAI_CLUSTER_IDX: '1',
      BACKENDAI_CLUSTER_HOST: 'main1',
      BACKENDAI_CLUSTER_SIZE: '1',
      BACKENDAI_CLUSTER_REPLICAS: 'main:1,sub:2',
      BACKENDAI_PREOPEN_PORTS: '7000',
      BACKENDAI_SERVICE_PORTS: 'a:tcp:3000',
      LOCAL_USER_ID: '1000',
      LOCAL_GROUP_ID: '1001',
      ADDITIONAL_GIDS: '5,7',
      OMP_NUM_THREADS: '2',
      NPROC: '2',
      GPU_COUNT: '0',
      N_GPUS: '0',
    });
  });

  it('passes on what the caller gave, a core count included', () => {
    const environ = buildEnvironment(withEnviron({ BACKENDAI_CLUSTER_ROLE: 'sub', NPROC: '9', MINE: 'a=b c' }));
    expect(environ).toMatchObject({ BACKENDAI_CLUSTER_ROLE: 'sub', NPROC: '9', MINE: 'a=b c' });
  });

  it('lets nobody choose an identity, or override what devices need', () => {
    const environ = buildEnvironment({
      ...withEnviron({
        LOCAL_USER_ID: '0',
        LOCAL_GROUP_ID: '0',
        ADDITIONAL_GIDS: '0',
        LD_PRELOAD: '/evil.so',
        MOCK_VISIBLE_DEVICES: 'all',
      }),
      identity: { uid: undefined, gid: undefined, additionalGids: [] },
      deviceEnv: [{ LD_PRELOAD: '/opt/hook.so', MOCK_VISIBLE_DEVICES: 'g0' }],
    });
    for (const name of ['LOCAL_USER_ID', 'LOCAL_GROUP_ID', 'ADDITIONAL_GIDS']) expect(environ).not.toHaveProperty(name);
    expect(environ).toMatchObject({ LD_PRELOAD: '/opt/hook.so', MOCK_VISIBLE_DEVICES: 'g0' });
  });

  it('describes the first accelerator that is really attached', () => {
    const gpu = (deviceId: string, memoryBytes: number) => ({ deviceId, modelName: 'M1', memoryBytes });
    const attached = { cuda: [], mock: [gpu('a', 17_179_869_184), gpu('b', 1_610_612_736)], cpu: [] };
    expect(buildEnvironment({ ...input, attached })).toMatchObject({
      GPU_TYPE: 'mock',
      GPU_MODEL_NAME: 'M1',
      GPU_CONFIG: '0:16g,1:1.5g',
      TF_GPU_MEMORY_ALLOC: '0:16384,1:1536',
      GPU_COUNT: '2',
      N_GPUS: '2',
    });
  });

  it('lists the mounts as persistent', () => {
    const mounts = ['/home/work/a', '/mnt/b'].map((kernelPath) => ({
      name: 'x',
      hostPath: '/x',
      kernelPath,
      permission: 'rw' as const,
      usageMode: 'general' as const,
    }));
    expect(buildEnvironment({ ...input, mounts })).toMatchObject({ BACKENDAI_PERSISTENT_PATHS: '/home/work/a:/mnt/b' });
  });

  it('refuses what no container can be given', () => {
    expect(() => buildEnvironment(withEnviron({ TOKEN: 'secret\nvalue' }))).toThrow(
      expect.objectContaining({ field: 'environ.TOKEN', message: expect.not.stringContaining('secret') }),
    );
  });
});

describe('environ.txt', () => {
  it('has a line for each variable', () => {
    expect(renderEnviron({ A: '1', 'B.c-d': '', _E: 'x=y  ' })).toBe('A=1\nB.c-d=\n_E=x=y  \n');
  });

  it('leaves out what Python would take for two lines', () => {
    expect(renderEnviron({ A: 'a\u2028b', B: 'a\fb', C: 'ü' })).toBe('C=ü\n');
  });

  it.each<[string, Record<string, string>]>([
    ['a line feed', { A: 'a\nb' }],
    ['a carriage return', { A: 'a\rb' }],
    ['a NUL', { A: 'a\0b' }],
    ['a name with =', { 'A=B': '1' }],
    ['no name', { '': '1' }],
    ['a name beginning with a digit', { '1A': '1' }],
    ['a name with a blank', { 'A B': '1' }],
    ['a name with a line feed', { 'A\nB': '1' }],
    ['a value that execve does not take', { A: 'x'.repeat(131_072) }],
    ['too much in all', Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`A${i}`, 'ü'.repeat(40_000)]))],
    ['too many', Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`A${i}`, '']))],
  ])('refuses %s', (_, environ) => {
    expect(() => checkEnviron(environ)).toThrow(expect.objectContaining({ name: 'InvalidArgumentError' }));
  });

  it('leaves out what a reader would take for two lines', () => {
    for (const end of ['\v', '\f', '\u0085', '\u2028', '\u2029']) {
      expect(renderEnviron({ A: '1', B: `x${end}y`, C: '3' })).toBe('A=1\nC=3\n');
    }
  });

  it('reads back as it was, line by line', () => {
    const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ unit: 'grapheme' }), { noNullPrototype: true }), (environ) => {
        const lines = Object.entries(environ).filter(
          ([, value]) => !/[\v\f\u001c-\u001e\u0085\u2028\u2029]/.test(value),
        );
        const text = renderEnviron(environ);
        const read = text
          .split('\n')
          .slice(0, -1)
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
        expect(Object.fromEntries(read)).toEqual(Object.fromEntries(lines));
      }),
    );
  });
});

describe('resolveIdentity', () => {
  const configured = { uid: 1000, gid: 1000 };
  it.each([
    [
      'the configured one under uid-match',
      { supplementaryGids: [] },
      true,
      [],
      { uid: 1000, gid: 1000, additionalGids: [] },
    ],
    ['none without', { supplementaryGids: [] }, false, [], { uid: undefined, gid: undefined, additionalGids: [] }],
    [
      'overrides, and the configured group beside',
      { uid: 2, mainGid: 3, supplementaryGids: [9, 4] },
      true,
      [4, 44],
      { uid: 2, gid: 3, additionalGids: [4, 9, 44, 1000] },
    ],
    [
      'overrides alone',
      { uid: 0, mainGid: 0, supplementaryGids: [] },
      false,
      [],
      { uid: 0, gid: 0, additionalGids: [] },
    ],
  ])('is %s', (_, override, uidMatch, extra, expected) => {
    expect(resolveIdentity(override, uidMatch, configured, extra)).toEqual(expected);
  });
});
