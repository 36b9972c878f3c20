import { describe, expect, it } from 'vitest';
import type { AutoPull } from '../kernel/kernel-spec.js';
import { decidePull } from './pull-decision.js';

describe('decidePull', () => {
  it.each<[AutoPull, string | undefined, string | undefined, string]>([
    ['digest', 'sha256:a', undefined, 'pull'],
    ['digest', 'sha256:a', 'sha256:b', 'pull'],
    ['digest', 'sha256:a', 'sha256:a', 'use'],
    ['digest', undefined, 'sha256:b', 'use'],
    ['tag', 'sha256:a', 'sha256:b', 'use'],
    ['tag', 'sha256:a', undefined, 'pull'],
    ['none', 'sha256:a', undefined, 'missing'],
    ['none', 'sha256:a', 'sha256:b', 'use'],
  ])('%s, wanted %s, local %s: %s', (autoPull, digest, localId, decision) => {
    const request = { canonical: 'python', isLocal: false, autoPull, ...(digest === undefined ? {} : { digest }) };
    expect(decidePull(request, localId)).toBe(decision);
  });

  it('never pulls a local image', () => {
    expect(decidePull({ canonical: 'python', isLocal: true, autoPull: 'digest' }, undefined)).toBe('missing');
  });
});
