import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readOnce } from './kept-file.js';

/** What is read of a container, in the names of cgroup v1. */
export const controllers = ['cpuacct', 'memory', 'blkio', 'pids'] as const;
export type Controller = (typeof controllers)[number];

/** The tree in which a controller keeps its files. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted. */
  readonly mount: string;
  /** How `/proc/<pid>/cgroup` names it: a controller, or nothing for v2. */
  readonly procName: string;
}

export type Hierarchies = Partial<Readonly<Record<Controller, Hierarchy>>>;

/** The v2 controller that took over; CPU time is always counted there, with or without the controller. */
const unifiedName: Readonly<Record<Controller, string | null>> = {
  cpuacct: null,
  memory: 'memory',
  blkio: 'io',
  pids: 'pids',
};

/**
 * Finds out which controller lives where: v1 mounts are folders named after their controllers (`cpu,cpuacct`), the v2
 * tree is at the root or, on hybrid hosts, below `unified`. A controller is in one of them only, so v1 goes first.
 */
export function findHierarchies(cgroupRoot: string): Hierarchies {
  const unifiedMount = [cgroupRoot, join(cgroupRoot, 'unified')].find((path) =>
    existsSync(join(path, 'cgroup.controllers')),
  );
  const unifiedControllers = new Set(
    unifiedMount === undefined ? [] : (readOnce(join(unifiedMount, 'cgroup.controllers')) ?? '').trim().split(/\s+/),
  );
  const found: Partial<Record<Controller, Hierarchy>> = {};
  const folders = existsSync(cgroupRoot) ? readdirSync(cgroupRoot) : [];
  for (const controller of controllers) {
    const folder = folders.find((name) => name.split(',').includes(controller));
    const unified = unifiedName[controller];
    if (folder !== undefined) {
      found[controller] = { version: 1, mount: join(cgroupRoot, folder), procName: controller };
    } else if (unifiedMount !== undefined && (unified === null || unifiedControllers.has(unified))) {
      found[controller] = { version: 2, mount: unifiedMount, procName: '' };
    }
  }
  return found;
}
