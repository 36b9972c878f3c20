import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LABELS } from '../kernel/container-labels.js';
import { commitLabels, commitTarget } from './commit-target.js';

const wish = { subfolder: 'user_example.com', canonical: 'r.example.com/p/n:1', filename: null, labels: {} };

describe('commitTarget', () => {
  it('is an image by its canonical name, or a file, whatever the canonical name is then', () => {
    expect(commitTarget(wish)).toEqual({ kind: 'image', canonical: 'r.example.com/p/n:1' });
    const filename = '2026-01-01T00-00-00_session_image.tar.gz';
    const file = { kind: 'file', subfolder: 'user_example.com', filename };
    expect(commitTarget({ ...wish, filename })).toEqual(file);
    expect(commitTarget({ ...wish, filename, canonical: null })).toEqual(file);
  });

  it.each([
    ['canonical', { canonical: null }],
    ['canonical', { canonical: '../etc' }],
    ['canonical', { canonical: `p/n@sha256:${'0'.repeat(64)}` }],
    ['subdir', { subfolder: '' }],
    ['subdir', { subfolder: '..' }],
    ['subdir', { subfolder: 'a/b' }],
    ['subdir', { subfolder: 'a\0' }],
    ['filename', { filename: '' }],
    ['filename', { filename: '../x' }],
    ['filename', { filename: '.tmp-x' }],
    ['filename', { filename: 'x'.repeat(201) }],
    ['extra_labels', { labels: { '': 'x' } }],
    ['extra_labels', { labels: { a: 'x'.repeat(16_385) } }],
    ['extra_labels', { labels: Object.fromEntries(Array.from({ length: 129 }, (_, i) => [String(i), ''])) }],
  ])('refuses a bad %s: %j', (field, change) => {
    expect(() => commitTarget({ ...wish, ...change })).toThrow(
      expect.objectContaining({ name: 'InvalidArgumentError', field }),
    );
  });

  it('never lets a name leave its folder', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (subfolder, filename) => {
        let target;
        try {
          target = commitTarget({ ...wish, subfolder, filename });
        } catch {
          return;
        }
        expect(target).toEqual({ kind: 'file', subfolder, filename });
        for (const name of [subfolder, filename]) expect(name).not.toMatch(/^$|^\.|[/\0]/);
      }),
    );
  });
});

describe('commitLabels', () => {
  it('takes away what says whose kernel it was, and keeps what the image said and what was asked for', () => {
    const labels = commitLabels(
      { [LABELS.servicePorts]: 'x:http:80', [LABELS.owner]: 'i-old', other: 'y' },
      { 'ai.backend.features': 'a b' },
    );
    expect(labels).toEqual({
      ...Object.fromEntries(Object.values(LABELS).map((label) => [label, ''])),
      [LABELS.servicePorts]: 'x:http:80',
      'ai.backend.features': 'a b',
    });
  });
});
