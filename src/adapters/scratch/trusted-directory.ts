import { mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storageFailure } from '../../domain/error/errors.js';

const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;

/**
 * Makes a directory (0755, with its parents) in which nobody else can exchange what the agent made: each directory on
 * the way belongs to the agent or to root, and others may write into it only if it is sticky, as /tmp is. Resolves
 * with its real path; rejects with StorageError where somebody else was faster.
 */
export async function trustedDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  const real = await realpath(path);
  const self = process.geteuid?.() ?? 0;
  for (let directory = real; ; directory = dirname(directory)) {
    const { uid, mode } = await stat(directory);
    const foreign = uid !== 0 && uid !== self;
    const open = (mode & OTHERS_MAY_WRITE) !== 0 && (mode & STICKY) === 0;
    if (foreign || open) {
      throw storageFailure(
        `The scratch directory ${path} is not safe: ${directory} ${foreign ? `belongs to user ${uid}` : 'can be written by everybody'}.`,
        {
          hint: `Make ${directory} belong to the agent (chown) and close it to others (chmod o-w), or set [container] scratch-root to another directory.`,
        },
      );
    }
    if (directory === dirname(directory)) return real;
  }
}
