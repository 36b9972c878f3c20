import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call } from '../../application/ports/call.js';
import { configurationInvalid } from '../../domain/error/errors.js';

/** Where the pseudo file systems are; tests give copies. */
export interface HostRoots {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly cgroupRoot: string;
  /** The engine's `CgroupDriver`; it decides below which cgroup containers are. Unknown = both are looked for. */
  readonly cgroupDriver?: string;
}

/** The content of a pseudo file without surrounding blanks; `undefined` if it isn't there or can't be read. */
export async function readHostFile(path: string, { signal }: Call): Promise<string | undefined> {
  try {
    return (await readFile(path, { encoding: 'utf8', signal })).trim();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/**
 * A controller file of the cgroup that all containers are in (lifecycle.md §6.3): `docker` with the cgroupfs driver,
 * `system.slice` with systemd; the unified hierarchy first, then the controller's own of v1.
 */
export async function readEngineCgroup(
  { cgroupRoot, cgroupDriver }: HostRoots,
  file: { readonly v2: string; readonly v1Controller: string; readonly v1: string },
  call: Call,
): Promise<string | undefined> {
  const parents =
    cgroupDriver === 'systemd'
      ? ['system.slice']
      : cgroupDriver === 'cgroupfs'
        ? ['docker']
        : ['docker', 'system.slice'];
  for (const parent of parents) {
    for (const path of [join(cgroupRoot, parent, file.v2), join(cgroupRoot, file.v1Controller, parent, file.v1)]) {
      const text = await readHostFile(path, call);
      if (text !== undefined && text !== '') return text;
    }
  }
  return undefined;
}

/**
 * An overcommit factor from the environment (lifecycle.md §6.3); unset = 1. Throws ConfigurationError naming `variable` for
 * anything but a whole number from 1 to 10.
 */
export function overcommitFactor(text: string | undefined, variable: string): number {
  if (text === undefined || text.trim() === '') return 1;
  const factor = Number(text);
  if (Number.isInteger(factor) && factor >= 1 && factor <= 10) return factor;
  throw configurationInvalid(`${variable}: '${text.slice(0, 32)}' is not a factor`, {
    field: variable,
    allowed: 'a whole number from 1 to 10',
  });
}
