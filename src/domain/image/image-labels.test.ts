import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseImageLabels } from './image-labels.js';

describe('parseImageLabels', () => {
  it('has the defaults of lifecycle.md §2 for an image without labels', () => {
    expect(parseImageLabels({ maintainer: 'me' })).toEqual({
      isLabelled: false,
      kernelspec: 1,
      features: new Set(['uid-match']),
      uidMatch: true,
      baseDistro: undefined,
      runtimeType: 'app',
      runtimePath: undefined,
      coreCountVariables: [],
      servicePorts: '',
      endpointNames: [],
      role: 'COMPUTE',
      minResources: {},
      maxResources: {},
      preferredShmemBytes: undefined,
      warnings: [],
    });
  });

  it('reads a labelled image', () => {
    const labels = parseImageLabels({
      'ai.backend.kernelspec': '1',
      'ai.backend.features': 'batch  query',
      'ai.backend.base-distro': 'ubuntu22.04',
      'ai.backend.runtime-type': 'python',
      'ai.backend.runtime-path': '/usr/bin/python3',
      'ai.backend.envs.corecount': 'OMP_NUM_THREADS, NPROC',
      'ai.backend.service-ports': 'jupyter:http:8081',
      'ai.backend.endpoint-ports': 'jupyter',
      'ai.backend.role': 'INFERENCE',
      'ai.backend.resource.min.cpu': '1',
      'ai.backend.resource.min.mem': '256m',
      'ai.backend.resource.max.cuda.shares': '1.5',
      'ai.backend.resource.preferred.shmem': '64m',
    });
    expect(labels).toMatchObject({
      isLabelled: true,
      uidMatch: false,
      baseDistro: 'ubuntu22.04',
      runtimeType: 'python',
      runtimePath: '/usr/bin/python3',
      coreCountVariables: ['OMP_NUM_THREADS', 'NPROC'],
      servicePorts: 'jupyter:http:8081',
      endpointNames: ['jupyter'],
      role: 'INFERENCE',
      minResources: { cpu: '1', mem: '268435456' },
      maxResources: { 'cuda.shares': '1.5' },
      preferredShmemBytes: 67_108_864,
      warnings: [],
    });
  });

  it.each([
    ['kernelspec', 'one', { kernelspec: 1 }],
    ['runtime-type', 'python; rm -rf /', { runtimeType: 'app' }],
    ['runtime-path', 'usr/bin/python', { runtimePath: undefined }],
    ['runtime-path', '/usr/bin/py\nthon', { runtimePath: undefined }],
    ['base-distro', '../../etc', { baseDistro: undefined }],
    ['envs.corecount', 'OK,NOT OK,LD=1', { coreCountVariables: ['OK'] }],
    ['endpoint-ports', 'a,b c', { endpointNames: ['a'] }],
    ['role', 'KING', { role: 'COMPUTE' }],
    ['features', `${'x'.repeat(100)} query`, { features: new Set(['query']) }],
    ['resource.min.mem', 'lots', { minResources: {} }],
    ['resource.min.cpu', '-1', { minResources: {} }],
    ['resource.max.cpu', 'NaN', { maxResources: {} }],
    ['resource.preferred.shmem', 'big', { preferredShmemBytes: undefined }],
    ['service-ports', 'x'.repeat(20_000), { servicePorts: '' }],
  ])('ignores a bad %s with a warning', (name, value, expected) => {
    const labels = parseImageLabels({ [`ai.backend.${name}`]: value });
    expect(labels).toMatchObject(expected);
    expect(labels.warnings).toHaveLength(1);
    expect(labels.warnings[0]).toContain(`ai.backend.${name}`);
  });

  it('survives anything', () => {
    const key = fc.oneof(
      fc
        .constantFrom(
          'kernelspec',
          'features',
          'runtime-path',
          'envs.corecount',
          'resource.min.mem',
          'resource.max.__proto__',
        )
        .map((name) => `ai.backend.${name}`),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.string({ maxLength: 300, unit: 'binary' })), (labels) => {
        const parsed = parseImageLabels(labels);
        expect(parsed.runtimeType).toMatch(/^[\w.-]+$/);
        for (const name of parsed.coreCountVariables) expect(name).toMatch(/^\w+$/);
        expect(Number.isInteger(parsed.kernelspec)).toBe(true);
      }),
    );
  });
});
