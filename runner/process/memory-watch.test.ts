import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryWatch } from './memory-watch.js';

const MIB = 1 << 20;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'memory-watch-'));
});
afterEach(() => rm(root, { recursive: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), text);
}

const process = (pid: number, name: string, mebibytes: number): Promise<void> =>
  write(`proc/${pid}/status`, `Name:\t${name}\nRssAnon:\t   ${mebibytes * 1024} kB\n`);

describe.each([
  ['cgroup v2', 'memory.events', 'memory.max', 'memory.current'],
  ['cgroup v1', 'memory/memory.oom_control', 'memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes'],
])('%s', (_, events, limit, usage) => {
  const kill = (count: number): Promise<void> => write(`cgroup/${events}`, `under_oom 0\noom_kill ${count}\n`);

  it('says what the killed process held and what still uses memory, once', async () => {
    await kill(1);
    await write(`cgroup/${limit}`, `${256 * MIB}\n`);
    await write(`cgroup/${usage}`, `${60 * MIB}\n`);
    await process(1, 'node', 20);
    await process(33, 'hoarder', 40);
    await process(34, 'sh', 1);
    const watch = new MemoryWatch(join(root, 'cgroup'), join(root, 'proc'));
    expect(watch.untoldClause()).toBeUndefined();
    await kill(2);
    expect(watch.untoldClause()).toBe(
      'it was killed because memory ran out (it held 196 of 256 MiB; still in use: hoarder 40 MiB, node 20 MiB)',
    );
    expect(watch.untoldClause()).toBeUndefined();
  });

  it('says no more than it knows', async () => {
    await kill(0);
    await write('proc/version', '');
    const watch = new MemoryWatch(join(root, 'cgroup'), join(root, 'proc'));
    await kill(1);
    expect(watch.clauseSince(0)).toBe('it was killed because memory ran out');
  });
});
