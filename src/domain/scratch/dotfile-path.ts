import { invalidArgument } from '../error/errors.js';
import type { Dotfile } from '../kernel/kernel-spec.js';
import { normalisePath } from '../vfolder/paths.js';
import type { ScratchFile } from './scratch-layout.js';

/** What the agent itself keeps in `config/`; a dotfile must not forge it. */
const AGENT_FILES = /^config\/(?:[^/]+\.(?:txt|json|dat)|ssh(?:\/.*)?)$/;
const MAX_SIZE = 1_048_576;

/**
 * Where a dotfile goes in the scratch (lifecycle.md §1.19, replacement rule): relative paths and those below /home/work go to
 * `work/`, those below /home/config to `config/`; anything else is refused, since the reference writes it on the *host*.
 * The permission is the file's alone. Throws InvalidArgumentError naming `field`.
 */
export function dotfileToScratchFile(dotfile: Dotfile, field: string): ScratchFile {
  if (dotfile.data.length > MAX_SIZE) {
    throw invalidArgument(`${field}: longer than ${MAX_SIZE} characters`, { field: `${field}.data` });
  }
  return {
    path: scratchPath(dotfile.path, `${field}.path`),
    data: dotfile.data.endsWith('\n') ? dotfile.data : `${dotfile.data}\n`,
    mode: dotfile.mode & 0o777,
    owned: true,
  };
}

function scratchPath(path: string, field: string): string {
  const refuse = (problem: string): Error =>
    invalidArgument(`${field}: '${JSON.stringify(path.slice(0, 128)).slice(1, -1)}' ${problem}`, {
      field,
      allowed: 'a path relative to the home directory, or below /home/work or /home/config',
    });
  if (path.length > 4096 || /[\0\r\n]/.test(path)) throw refuse('is not a path');
  if (path.split('/').includes('..')) throw refuse("has '..'");
  const normal = normalisePath(path);
  const inside = normal.startsWith('/') ? /^\/home\/((?:work|config)\/.+)$/.exec(normal)?.[1] : `work/${normal}`;
  if (inside === undefined || inside === 'work/') throw refuse('is outside the kernel');
  if (AGENT_FILES.test(inside)) throw refuse("is one of the agent's own files");
  return inside;
}
