import { ImageRef } from './image-ref.js';

/** An image as the Manager hears of it: `digest` is the id of its configuration (state.md §3.2). */
export interface InstalledImage {
  readonly canonical: string;
  readonly digest: string;
  readonly architecture: string;
}

const KERNELSPEC = 'ai.backend.kernelspec';
/** What may be registered as a tag: narrower than what an engine allows (lifecycle.md §2). */
const TAG = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?$/;

/**
 * Whether kernels can be made of an image by this name: the name is one that a Manager can parse, and the image has
 * labels which do not say that it is for another generation of runners.
 */
export function isKernelImage(name: string, labels: Readonly<Record<string, string>>): boolean {
  if (Object.keys(labels).length === 0) return false;
  const kernelspec = Object.hasOwn(labels, KERNELSPEC) ? (labels[KERNELSPEC] ?? '') : '1';
  if (!/^\s*0*1\s*$/.test(kernelspec)) return false;
  try {
    return TAG.test(ImageRef.parse(name).tag);
  } catch {
    return false;
  }
}
