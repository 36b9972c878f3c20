import type { Stats } from 'node:fs';
import { chmod, chown, truncate, utimes } from 'node:fs/promises';
import type { Attributes } from 'ssh2';

/** Attributes that a client sends: any of them may be missing. */
export type GivenAttributes = Partial<Attributes>;

const KINDS: readonly (readonly [mask: number, letter: string])[] = [
  [0o140000, 's'],
  [0o120000, 'l'],
  [0o100000, '-'],
  [0o060000, 'b'],
  [0o040000, 'd'],
  [0o020000, 'c'],
  [0o010000, 'p'],
];

export function attributesOf(stats: Stats): Attributes {
  const { mode, uid, gid, size, atimeMs, mtimeMs } = stats;
  return { mode, uid, gid, size, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) };
}

/** A line as `ls -l` writes it, which is what some clients show. */
export function longName(name: string, stats: Stats): string {
  const letter = KINDS.find(([mask]) => (stats.mode & 0o170000) === mask)?.[1] ?? '?';
  const bits = [8, 7, 6, 5, 4, 3, 2, 1, 0]
    .map((bit) => ((stats.mode >> bit) & 1 ? 'rwx'[(8 - bit) % 3] : '-'))
    .join('');
  const owner = `${stats.nlink} ${stats.uid} ${stats.gid}`;
  return `${letter}${bits} ${owner} ${stats.size} ${stats.mtime.toISOString().slice(0, 16).replace('T', ' ')} ${name}`;
}

/** Sets what is given, size first, since that changes the times. Follows symlinks, as OpenSSH does. */
export async function applyAttributes(
  path: string,
  { size, mode, uid, gid, atime, mtime }: GivenAttributes,
): Promise<void> {
  if (size !== undefined) await truncate(path, size);
  if (mode !== undefined) await chmod(path, mode & 0o7777);
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  if (atime !== undefined && mtime !== undefined) await utimes(path, atime, mtime);
}
