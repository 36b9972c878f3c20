import { parseKernelId, type KernelId } from './kernel-id.js';

const NAME = /^\/?kernel\.(?<image>.+)\.(?<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** `kernel.<image>.<kernel id>` (lifecycle.md §1.21); `image` is the last path component of the image's name. */
export function containerName(image: string, kernelId: KernelId): string {
  // Container names know fewer characters than what images may be called after a digest or an upper-case local name.
  const safe = image.replaceAll(/[^A-Za-z0-9_.-]+/g, '-').slice(0, 128);
  return `kernel.${safe === '' ? 'image' : safe}.${kernelId}`;
}

/** Reads a container's name back, with or without the engine's leading slash; `undefined` if it is no kernel's. */
export function parseContainerName(name: string): { readonly image: string; readonly kernelId: KernelId } | undefined {
  const groups = NAME.exec(name)?.groups;
  const image = groups?.['image'];
  const id = groups?.['id'];
  return image === undefined || id === undefined ? undefined : { image, kernelId: parseKernelId(id) };
}
