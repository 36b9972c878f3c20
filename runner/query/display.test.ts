import { describe, expect, it } from 'vitest';
import { bundleFrame } from './display.js';

describe('bundleFrame', () => {
  it.each([
    ['plain', { 'text/plain': '2' }, { kind: 'stdout', payload: '2' }],
    ['html as html', { 'text/plain': '<x>', 'text/html': '<b>x</b>' }, { kind: 'html', payload: '<b>x</b>' }],
    [
      'png as data URL',
      { 'image/png': 'iVBO\n', 'text/plain': '<Image>' },
      { kind: 'media', payload: '{"type":"image/png","data":"data:image/png;base64,iVBO\\n"}' },
    ],
    [
      'svg as text',
      { 'text/plain': '<SVG>', 'image/svg+xml': ['<svg>', '</svg>'] },
      { kind: 'media', payload: '{"type":"image/svg+xml","data":"<svg></svg>"}' },
    ],
    ['unknown with plain text', { 'text/markdown': '*m*', 'text/plain': 'M' }, { kind: 'stdout', payload: 'M' }],
    [
      'unknown alone',
      { 'application/json': { a: 1 } },
      { kind: 'media', payload: '{"type":"application/json","data":"{\\"a\\":1}"}' },
    ],
    ['nothing', {}, undefined],
  ])('%s', (_what, bundle, frame) => {
    expect(bundleFrame(bundle)).toEqual(frame);
  });
});
