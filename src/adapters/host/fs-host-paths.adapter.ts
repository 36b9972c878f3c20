import { injectable } from 'inversify';
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { HostPath, HostPaths } from '../../application/ports/host-paths.port.js';

/** A dead network file system answers never; for checking a mount that is the same as not being there. */
const TIMEOUT_MS = 5000;

/** Looks at the host's file system. */
@injectable()
export class FsHostPaths implements HostPaths {
  async look(path: string): Promise<HostPath | undefined> {
    if (!isAbsolute(path) || path.includes('\0')) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), TIMEOUT_MS)));
    try {
      return await Promise.race([inspect(path), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function inspect(path: string): Promise<HostPath | undefined> {
  try {
    const realPath = await realpath(path);
    const found = await stat(realPath);
    return { kind: found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other', realPath };
  } catch {
    return undefined;
  }
}
