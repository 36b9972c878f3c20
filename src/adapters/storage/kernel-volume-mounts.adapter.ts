import { execFile } from 'node:child_process';
import { chmod, mkdir, open, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Call } from '../../application/ports/call.js';
import type { VolumeMount, VolumeMounts } from '../../application/ports/volume-mounts.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { storageFailure } from '../../domain/error/errors.js';
import { isSameOrBelow } from '../../domain/vfolder/paths.js';
import { withEntry, withoutTarget } from './fstab.js';

const run = promisify(execFile);
const DEFAULT_TIMEOUT_MS = 30_000;

/** Mounts by `mount` and `umount`: judged by their exit status, unlike the reference (state.md §10 W-V1). */
export class KernelVolumeMounts implements VolumeMounts {
  constructor(private readonly files = { fstab: '/etc/fstab', mountinfo: '/proc/self/mountinfo' }) {}

  async list(prefixes: readonly string[]): Promise<readonly string[]> {
    const targets = (await this.#mountPoints()).filter((path) =>
      prefixes.some((prefix) => isSameOrBelow(path, prefix)),
    );
    return [...new Set(targets)].sort();
  }

  async mount(volume: VolumeMount, persist: boolean, call: Call): Promise<void> {
    const { source, target, type, options } = volume;
    if (!(await this.#isMounted(target))) {
      const isOurs = await makeFolder(target);
      // "--": a source is never taken for an option.
      const args = ['-t', type, ...(options === '' ? [] : ['-o', options]), '--', source, target];
      try {
        await command('mount', args, target, call);
      } catch (error) {
        if (isOurs) await rmdir(target).catch(() => undefined);
        throw error;
      }
    }
    if (persist) await this.#editFstab((text) => withEntry(text, volume));
  }

  async unmount(target: string, forget: boolean, call: Call): Promise<void> {
    if (await this.#isMounted(target)) {
      await command('umount', ['--', target], target, call);
      // What is not empty was no folder of ours.
      await rmdir(target).catch(() => undefined);
    }
    if (forget) await this.#editFstab((text) => withoutTarget(text, target));
  }

  async fstab(): Promise<string> {
    return readFile(this.files.fstab, 'utf8').catch(() => '');
  }

  async #isMounted(target: string): Promise<boolean> {
    return (await this.#mountPoints()).includes(target);
  }

  /** Fifth field of each line, with its octal escapes undone. */
  async #mountPoints(): Promise<string[]> {
    const lines = (await readFile(this.files.mountinfo, 'utf8')).split('\n');
    return lines.flatMap((line) => {
      const field = line.split(' ')[4];
      if (field === undefined) return [];
      return [field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))];
    });
  }

  /** Its old or its new content is there, whatever happens. */
  async #editFstab(edit: (text: string) => string): Promise<void> {
    const { fstab } = this.files;
    const text = await this.fstab();
    const edited = edit(text);
    if (edited === text) return;
    const temporary = `${fstab}.backend.ai`;
    try {
      const mode = await stat(fstab).then(
        (found) => found.mode & 0o777,
        () => 0o644,
      );
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(edited);
        await file.sync();
      } finally {
        await file.close();
      }
      await chmod(temporary, mode);
      await rename(temporary, fstab);
    } catch (error) {
      await rm(temporary, { force: true });
      throw failure(fstab, error);
    }
  }
}

/** False if it was there before. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw failure(path, error);
  }
}

async function command(program: string, args: readonly string[], target: string, call: Call): Promise<void> {
  try {
    await run(program, args, {
      signal: call.signal,
      timeout: call.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, LC_ALL: 'C' },
    });
  } catch (error) {
    throw failure(target, error);
  }
}

function failure(path: string, error: unknown): Error {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return storageFailure(`${path}: ${said.slice(0, 500) || messageOf(error)}`, { field: 'name', cause: error });
}
