import { readdirSync, readFileSync } from 'node:fs';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const MIB = 1 << 20;
const mebibytes = (bytes: number): number => Math.round(bytes / MIB);
/** Of those that still run, the largest: one of them may be what filled the memory, and not what was killed for it. */
const NAMED = 2;
const WORTH_NAMING = 8 * MIB;

/** Knows how often the kernel's memory limit has killed a process in this container, and what used it; cgroup v2 and v1. */
export class MemoryWatch {
  private told: number;

  constructor(
    private readonly root = '/sys/fs/cgroup',
    private readonly processes = '/proc',
  ) {
    this.told = this.kills();
  }

  /** Kills so far. */
  kills(): number {
    const text = read(`${this.root}/memory.events`) || read(`${this.root}/memory/memory.oom_control`);
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  }

  /** A clause on a kill that happened after `kills()` had this value; it then counts as told. */
  clauseSince(kills: number): string | undefined {
    const now = this.kills();
    if (now <= kills) return undefined;
    this.told = now;
    return this.clause();
  }

  /** The same for kills that no run was told of. */
  untoldClause(): string | undefined {
    return this.clauseSince(this.told);
  }

  private clause(): string {
    const limit = this.bytes('memory.max', 'memory.limit_in_bytes');
    if (!(limit > 0 && limit < 2 ** 60)) return 'it was killed because memory ran out';
    // At the moment of the kill all of the limit was in use: what is free now is what the killed one held.
    const held = Math.max(0, limit - this.bytes('memory.current', 'memory.usage_in_bytes'));
    const others = this.largest().map(({ name, bytes }) => `${name} ${mebibytes(bytes)} MiB`);
    const rest = others.length === 0 ? '' : `; still in use: ${others.join(', ')}`;
    return `it was killed because memory ran out (it held ${mebibytes(held)} of ${mebibytes(limit)} MiB${rest})`;
  }

  private bytes(v2: string, v1: string): number {
    return Number((read(`${this.root}/${v2}`) || read(`${this.root}/memory/${v1}`)).trim());
  }

  private largest(): readonly { readonly name: string; readonly bytes: number }[] {
    const all = readdirSync(this.processes)
      .filter((entry) => /^\d+$/.test(entry))
      .map((pid) => {
        const status = read(`${this.processes}/${pid}/status`);
        const kilobytes = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
        return { name: /^Name:\s+(.*)$/m.exec(status)?.[1] ?? pid, bytes: kilobytes * 1024 };
      });
    return all
      .filter(({ bytes }) => bytes >= WORTH_NAMING)
      .sort((one, other) => other.bytes - one.bytes)
      .slice(0, NAMED);
  }
}
