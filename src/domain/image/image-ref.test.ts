import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseArchitecture } from './architecture.js';
import { ImageRef } from './image-ref.js';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('ImageRef', () => {
  it.each([
    [
      'python',
      'index.docker.io',
      'library',
      'python',
      'latest',
      'index.docker.io/library/python:latest',
      'python:latest',
    ],
    [
      'python:3.12',
      'index.docker.io',
      'library',
      'python',
      '3.12',
      'index.docker.io/library/python:3.12',
      'python:3.12',
    ],
    [
      'bai-test/python:1',
      'index.docker.io',
      'bai-test',
      'python',
      '1',
      'index.docker.io/bai-test/python:1',
      'bai-test/python:1',
    ],
    [
      'docker.io/library/redis',
      'index.docker.io',
      'library',
      'redis',
      'latest',
      'index.docker.io/library/redis:latest',
      'redis:latest',
    ],
    [
      'cr.backend.ai/stable/python:3.9-ubuntu20.04',
      'cr.backend.ai',
      'stable',
      'python',
      '3.9-ubuntu20.04',
      'cr.backend.ai/stable/python:3.9-ubuntu20.04',
      'cr.backend.ai/stable/python:3.9-ubuntu20.04',
    ],
    ['localhost/x', 'localhost', '', 'x', 'latest', 'localhost/x:latest', 'localhost/x:latest'],
    ['host:5000/a/b/c', 'host:5000', 'a/b', 'c', 'latest', 'host:5000/a/b/c:latest', 'host:5000/a/b/c:latest'],
    ['[::1]:5000/a', '[::1]:5000', '', 'a', 'latest', '[::1]:5000/a:latest', '[::1]:5000/a:latest'],
    [
      'a__b/c--d.e_f',
      'index.docker.io',
      'a__b',
      'c--d.e_f',
      'latest',
      'index.docker.io/a__b/c--d.e_f:latest',
      'a__b/c--d.e_f:latest',
    ],
  ])('reads %s', (text, registry, project, name, tag, canonical, familiar) => {
    const ref = ImageRef.parse(text);
    expect(ref).toMatchObject({ registry, project, name, tag, canonical, familiar });
  });

  it('keeps a digest', () => {
    const ref = ImageRef.parse(`host.example/a:1@${DIGEST}`);
    expect(ref).toMatchObject({ digest: DIGEST, short: `a:1@${DIGEST}`, isRegistryExplicit: true });
    expect(ImageRef.parse('a').isRegistryExplicit).toBe(false);
  });

  it.each([
    '',
    ' ',
    'Python',
    'a/B',
    'a:',
    'a:b:c',
    'a b',
    '/a',
    'a/',
    'a//b',
    '-a',
    'a@sha256:zz',
    `a@${DIGEST}@${DIGEST}`,
    'a..b',
    'a___b',
    '-bad.host/a',
    'a:-x',
    `a:${'t'.repeat(129)}`,
    '../../etc',
    'a'.repeat(600),
    'a\n',
    'host:999999/a',
  ])('refuses %.40j', (text) => {
    expect(() => ImageRef.parse(text)).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError', field: 'image' }),
    );
  });

  it('reads its own canonical and familiar forms as the same image', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,6}([._-][a-z0-9]{1,4})?$/);
    const path = fc.array(component, { minLength: 1, maxLength: 4 });
    const host = fc.option(fc.stringMatching(/^[a-z]{1,8}\.[a-z]{2,4}(:[1-9]\d{1,3})?$/), { nil: undefined });
    const tag = fc.option(fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,12}$/), { nil: undefined });
    fc.assert(
      fc.property(host, path, tag, (registry, components, label) => {
        const text =
          [...(registry ? [registry] : []), components.join('/')].join('/') + (label === undefined ? '' : `:${label}`);
        // A dotted first component of a name without a host is a host.
        fc.pre(registry !== undefined || components.length === 1 || !/[.]|^localhost$/.test(components[0]!));
        const ref = ImageRef.parse(text);
        for (const form of [ref.canonical, ref.familiar]) {
          const again = ImageRef.parse(form);
          expect([again.canonical, again.familiar, again.name]).toEqual([ref.canonical, ref.familiar, ref.name]);
        }
      }),
    );
  });
});

it.each([
  ['amd64', 'x86_64'],
  ['x86_64', 'x86_64'],
  ['x64', 'x86_64'],
  ['arm64', 'aarch64'],
  [' AARCH64 ', 'aarch64'],
  ['riscv64', 'riscv64'],
])('spells the architecture %s as %s', (name, spelled) => {
  expect(normaliseArchitecture(name)).toBe(spelled);
});
