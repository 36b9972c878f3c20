import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** True for a file that this user may execute. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The first of `names` found: a path as it stands, a bare name in the directories of PATH. */
export function findExecutable(names: readonly string[], path: string): string | undefined {
  for (const name of names) {
    if (name.includes('/')) {
      if (isExecutable(name)) return name;
      continue;
    }
    for (const directory of path.split(':')) {
      const candidate = join(directory || '.', name);
      if (isExecutable(candidate)) return candidate;
    }
  }
  return undefined;
}

/** A POSIX shell of the image, if it has one. */
export const findShell = (path: string): string | undefined =>
  findExecutable(['/bin/sh', '/usr/bin/sh', '/bin/bash', '/bin/ash', '/busybox/sh', 'sh'], path);
