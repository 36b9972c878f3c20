import { invalidArgument } from '../error/errors.js';
import type { VfolderMount } from '../kernel/kernel-spec.js';
import { isBelow, isSameOrBelow, normalisePath } from './paths.js';

/** What was found at a mount's host path; `realPath` differs from the asked path if any part of it is a symlink. */
export interface MountFacts {
  readonly kind: 'directory' | 'file' | 'other';
  readonly realPath: string;
}

const WORK = '/home/work';
const MAX_MOUNTS = 256;
const MAX_PATH = 4096;
/** Separators of resource.txt (lifecycle.md §4.1), and what no line-based file can hold. */
const FORBIDDEN = /[\0\r\n,:]/;

/** Host paths that no kernel may see, nor anything in them, nor what contains them. */
export const SYSTEM_PATHS: readonly string[] = [
  '/',
  '/boot',
  '/dev',
  '/etc',
  '/proc',
  '/sys',
  '/run/containerd',
  '/run/docker.sock',
  '/run/podman',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/run/docker.sock',
];

/** Targets that belong to the agent or to the container engine; nothing may be mounted there or below. */
const RESERVED_TREES = ['/dev', '/etc', '/home/config', '/opt/backend.ai', '/opt/kernel', '/proc', '/sys'];
/** Targets that would hide what the image or the agent needs; below them is fine. */
const RESERVED_TARGETS = [
  '/bin',
  '/boot',
  '/lib',
  '/lib64',
  '/run',
  '/sbin',
  '/usr',
  '/usr/bin',
  '/usr/lib',
  '/var',
  WORK,
];

/**
 * Checks requested mounts by everything that their text tells (lifecycle.md §1.11) and returns them with absolute,
 * normalised kernel paths: a relative one is below /home/work. `protectedPaths` are the agent's own roots, absolute.
 * Throws InvalidArgumentError naming `mounts[i].host_path` or `mounts[i].kernel_path`. The host is looked at by
 * `checkMountFacts`.
 */
export function resolveMounts(mounts: readonly VfolderMount[], protectedPaths: readonly string[]): VfolderMount[] {
  if (mounts.length > MAX_MOUNTS) throw invalidArgument(`more than ${MAX_MOUNTS} mounts`, { field: 'mounts' });
  const refused = [...SYSTEM_PATHS, ...protectedPaths.filter((path) => path.startsWith('/')).map(normalisePath)];
  const resolved = mounts.map((mount, index) => {
    checkHostPath(mount.hostPath, `mounts[${index}].host_path`, refused);
    return { ...mount, kernelPath: resolveKernelPath(mount.kernelPath, `mounts[${index}].kernel_path`) };
  });
  checkOverlaps(resolved);
  return resolved;
}

/**
 * Checks a mount against what is at its host path; `undefined` = nothing. A symlink anywhere in it is refused, since it may
 * point elsewhere by the time of mounting.
 */
export function checkMountFacts(mount: VfolderMount, facts: MountFacts | undefined, field = 'mounts.host_path'): void {
  const path = mount.hostPath;
  if (!facts) {
    throw invalidArgument(`${field}: ${path} does not exist, or the agent can't reach it`, {
      field,
      allowed: 'an existing directory or file of this machine',
      hint: 'create it first; the agent never makes host paths',
    });
  }
  if (facts.realPath !== path) {
    throw invalidArgument(`${field}: ${path} is a symbolic link, or below one, to ${facts.realPath}`, {
      field,
      allowed: 'a path without symbolic links',
      hint: `mount ${facts.realPath} itself if that is meant`,
    });
  }
  if (facts.kind === 'other') {
    throw invalidArgument(`${field}: ${path} is neither a directory nor a file`, {
      field,
      allowed: 'a directory or a regular file, no socket, device or pipe',
    });
  }
}

function checkHostPath(path: string, field: string, refused: readonly string[]): void {
  checkText(path, field);
  if (!path.startsWith('/')) {
    throw invalidArgument(`${field}: '${path}' is not absolute`, { field, allowed: 'a path beginning with /' });
  }
  if (path !== normalisePath(path)) {
    throw invalidArgument(`${field}: '${path}' is not in normal form`, {
      field,
      allowed: 'a path without //, /./ and a slash at its end',
      hint: `write ${normalisePath(path)}`,
    });
  }
  for (const forbidden of refused) {
    // Everything is below `/`, so of that one only itself is meant.
    const isInside = forbidden === '/' ? path === '/' : isSameOrBelow(path, forbidden);
    if (isInside || isBelow(forbidden, path)) {
      throw invalidArgument(
        `${field}: ${path} must not be mounted${path === forbidden ? '' : ` because of ${forbidden}`}`,
        {
          field,
          allowed: 'a directory or file of its own, outside the system and the agent',
        },
      );
    }
  }
}

function resolveKernelPath(path: string, field: string): string {
  checkText(path, field);
  const target = normalisePath(path.startsWith('/') ? path : `${WORK}/${path}`);
  const reserved =
    RESERVED_TREES.find((tree) => isSameOrBelow(target, tree) || isBelow(tree, target)) ??
    [...RESERVED_TARGETS, '/', '/home'].find((exact) => target === exact);
  if (reserved !== undefined) {
    throw invalidArgument(`${field}: ${target} is reserved`, {
      field,
      allowed: `a path such as ${WORK}/data`,
    });
  }
  return target;
}

function checkText(path: string, field: string): void {
  if (path === '') throw invalidArgument(`${field}: empty`, { field, allowed: 'a path' });
  if (path.length > MAX_PATH) throw invalidArgument(`${field}: longer than ${MAX_PATH} characters`, { field });
  if (FORBIDDEN.test(path)) {
    throw invalidArgument(`${field}: '${printable(path)}' has a character that can't be mounted`, {
      field,
      allowed: 'no NUL, line break, comma or colon',
    });
  }
  if (path.split('/').includes('..')) {
    throw invalidArgument(`${field}: '${path}' has '..'`, { field, allowed: "a path without '..'" });
  }
}

function checkOverlaps(mounts: readonly VfolderMount[]): void {
  mounts.forEach((mount, index) => {
    const other = mounts.slice(0, index).find(({ kernelPath }) => {
      return isSameOrBelow(mount.kernelPath, kernelPath) || isBelow(kernelPath, mount.kernelPath);
    });
    if (!other) return;
    const field = `mounts[${index}].kernel_path`;
    const relation = other.kernelPath === mount.kernelPath ? 'is used twice' : `overlaps with ${other.kernelPath}`;
    throw invalidArgument(`${field}: ${mount.kernelPath} ${relation}`, { field, allowed: 'a place of its own each' });
  });
}

function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1).slice(0, 256);
}
