import { join } from 'node:path';
import { readOnce } from './kept-file.js';

/** More processes than this are not asked: a fork bomb must not slow the sampler down. */
const MAX_PROCESSES = 128;

/**
 * Storage traffic of a container as the sum over its processes, for hosts whose cgroup does not count it: without the
 * controller, and with cgroup v1 on Linux 6.10 and later, where counting starts only when somebody sets an I/O limit.
 * A parent's numbers include those of its ended children. Without the right to read them it is 0.
 */
export class ProcessIo {
  readonly #procRoot: string;
  readonly #processes: string;

  /** @param folder a cgroup of the container, in any hierarchy */
  constructor(procRoot: string, folder: string) {
    this.#procRoot = procRoot;
    this.#processes = join(folder, 'cgroup.procs');
  }

  read(): { read: number; written: number } {
    let [read, written] = [0, 0];
    // Not kept open: for a reader that comes back within a second, cgroup v1 repeats the list of before.
    const pids = readOnce(this.#processes)?.match(/\d+/g) ?? [];
    for (const pid of pids.slice(0, MAX_PROCESSES)) {
      const text = readOnce(join(this.#procRoot, pid, 'io')) ?? '';
      read += Number(/^read_bytes: (\d+)/m.exec(text)?.[1] ?? 0);
      written += Number(/^write_bytes: (\d+)/m.exec(text)?.[1] ?? 0);
    }
    return { read, written };
  }
}
