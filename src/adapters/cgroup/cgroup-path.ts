import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Hierarchy } from './cgroup-hierarchies.js';

export interface ContainerPlace {
  readonly id: string;
  /** As inspected; empty = the engine's default. */
  readonly cgroupParent: string;
  /** The text of `/proc/<pid>/cgroup`, if it could be read. */
  readonly procCgroup: string | undefined;
}

/** Groups that programs inside make for themselves: the container is the one above. */
const leaves = new Set(['container', 'init', 'supervisor']);

/**
 * The folder of a container in one hierarchy, or `undefined`. What the kernel says about its first process goes first:
 * it is right for every driver and for rootless engines. It is cut off after the segment that holds the container's id,
 * since the process may have moved into a group of its own. Where the kernel says nothing of use (the process is gone,
 * or the agent sees its own part of the tree only), the paths that the engines' drivers make are tried.
 */
export function findCgroup(hierarchy: Hierarchy, place: ContainerPlace): string | undefined {
  const told = place.procCgroup === undefined ? undefined : pathInProc(place.procCgroup, hierarchy.procName);
  const candidates: string[] = [];
  if (told !== undefined && !told.split('/').includes('..')) {
    const container = upToContainer(told, place.id);
    if (container !== undefined) candidates.push(container);
  }
  candidates.push(...pathsByRule(place));
  const ofProcess = told === undefined ? undefined : withoutLeaves(told);
  // A group of another name (an engine that is told to): its own, but never the root, which is everybody's.
  if (ofProcess !== undefined && ofProcess !== '/' && !ofProcess.includes('..')) candidates.push(ofProcess);
  return candidates.map((path) => join(hierarchy.mount, path)).find((path) => existsSync(join(path, 'cgroup.procs')));
}

/** `4:cpu,cpuacct:/docker/<id>` and, for v2, `0::/system.slice/docker-<id>.scope`. */
export function pathInProc(text: string, name: string): string | undefined {
  for (const line of text.split('\n')) {
    const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (names?.split(',').includes(name)) return path;
  }
  return undefined;
}

function upToContainer(path: string, id: string): string | undefined {
  const segments = path.split('/');
  const index = segments.findIndex((segment) => segment.includes(id));
  return index < 0 ? undefined : segments.slice(0, index + 1).join('/');
}

function withoutLeaves(path: string): string {
  const segments = path.split('/');
  while (leaves.has(segments.at(-1) ?? '')) segments.pop();
  return segments.join('/') || '/';
}

/** Where the drivers `cgroupfs` and `systemd` put a container. */
function pathsByRule({ id, cgroupParent }: ContainerPlace): string[] {
  const bySlice = (slice: string): string => join('/', sliceFolder(slice), `docker-${id}.scope`);
  if (cgroupParent.endsWith('.slice')) return [bySlice(cgroupParent)];
  if (cgroupParent !== '') return [join('/', cgroupParent, id)];
  return [join('/docker', id), bySlice('system.slice')];
}

/** systemd nests slices by their dashes: `a-b.slice` is in `a.slice`. */
function sliceFolder(slice: string): string {
  const parts = slice.replace(/\.slice$/, '').split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/');
}
