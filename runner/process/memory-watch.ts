import { readFileSync } from 'node:fs';

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Knows how often the kernel's memory limit has killed a process in this container; cgroup v2 and v1. */
export class MemoryWatch {
  private told: number;

  constructor(private readonly root = '/sys/fs/cgroup') {
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
    const bytes = Number((read(`${this.root}/memory.max`) || read(`${this.root}/memory/memory.limit_in_bytes`)).trim());
    const limit = bytes > 0 && bytes < 2 ** 60 ? ` (limit ${Math.round(bytes / (1 << 20))} MiB)` : '';
    return `it was killed because memory ran out${limit}`;
  }
}
