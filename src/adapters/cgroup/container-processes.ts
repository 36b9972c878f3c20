import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { ProcessReading } from '../../application/ports/usage-source.port.js';
import { readOnce } from './kept-file.js';

/** More processes than this are not asked: a fork bomb must not slow the sampler down. */
const MAX_PROCESSES = 128;
/** The kernel counts CPU time in hundredths of a second for user space, on every architecture. */
const MS_PER_TICK = 10;
const USUAL_PAGE_BYTES = 4096;

/** The processes in one container's cgroup. */
export class ContainerProcesses {
  readonly #procRoot: string;
  readonly #list: string;

  /** @param folder a cgroup of the container, in any hierarchy */
  constructor(procRoot: string, folder: string) {
    this.#procRoot = procRoot;
    this.#list = join(folder, 'cgroup.procs');
  }

  read(): readonly ProcessReading[] {
    return this.#pids().flatMap((pid) => this.#process(pid) ?? []);
  }

  /**
   * Storage traffic as the sum over the processes, for hosts whose cgroup does not count it: without the controller, and
   * with cgroup v1 on Linux 6.10 and later, where counting starts only when somebody sets an I/O limit. A parent's numbers
   * include those of its ended children. Without the right to read them it is 0.
   */
  readIo(): { read: number; written: number } {
    let [read, written] = [0, 0];
    for (const pid of this.#pids()) {
      const io = this.#io(pid);
      read += io.read;
      written += io.written;
    }
    return { read, written };
  }

  #pids(): readonly string[] {
    // Not kept open: for a reader that comes back within a second, cgroup v1 repeats the list of before.
    return (readOnce(this.#list)?.match(/\d+/g) ?? []).slice(0, MAX_PROCESSES);
  }

  /** `undefined` if it ended meanwhile. */
  #process(pid: string): ProcessReading | undefined {
    const stat = readOnce(join(this.#procRoot, pid, 'stat')) ?? '';
    // The name, in brackets, may have blanks and brackets in it; the state comes after it.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [userTicks, systemTicks, startTicks, rssPages] = [fields[11], fields[12], fields[19], fields[21]];
    if (userTicks === undefined || systemTicks === undefined || startTicks === undefined) return undefined;
    const io = this.#io(pid);
    return {
      pid: Number(pid),
      startTicks,
      atMs: performance.now(),
      cpuMs: (userTicks + systemTicks) * MS_PER_TICK,
      rssBytes: (rssPages ?? 0) * pageBytes(this.#procRoot),
      ioReadBytes: io.read,
      ioWriteBytes: io.written,
    };
  }

  #io(pid: string): { read: number; written: number } {
    const text = readOnce(join(this.#procRoot, pid, 'io')) ?? '';
    return {
      read: Number(/^read_bytes: (\d+)/m.exec(text)?.[1] ?? 0),
      written: Number(/^write_bytes: (\d+)/m.exec(text)?.[1] ?? 0),
    };
  }
}

let pageSize: number | undefined;

/** 4 KiB on most machines, 16 or 64 KiB on some of other architectures. */
function pageBytes(procRoot: string): number {
  const told = () => /^KernelPageSize:\s+(\d+) kB$/m.exec(readOnce(join(procRoot, 'self/smaps')) ?? '')?.[1];
  return (pageSize ??= Number(told() ?? USUAL_PAGE_BYTES / 1024) * 1024);
}
