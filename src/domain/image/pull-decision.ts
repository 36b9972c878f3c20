import type { ImageRequest } from '../kernel/kernel-spec.js';

/** What to do about an image, given what is here (table of lifecycle.md §1.6). */
export type PullDecision = 'use' | 'pull' | 'missing';

/** `localId` is the id of the local image, if there is one. */
export function decidePull(request: ImageRequest, localId: string | undefined): PullDecision {
  if (request.isLocal || request.autoPull === 'none') return localId === undefined ? 'missing' : 'use';
  if (localId === undefined) return 'pull';
  // Without a digest to compare with, an image of that name is the image.
  const outdated = request.autoPull === 'digest' && request.digest !== undefined && request.digest !== localId;
  return outdated ? 'pull' : 'use';
}
