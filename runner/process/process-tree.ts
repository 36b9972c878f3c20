import { readdirSync, readFileSync } from 'node:fs';

interface ProcessEntry {
  readonly pid: number;
  readonly ppid: number;
  readonly session: number;
  /** It has inherited the mark of the program in question. */
  readonly marked?: boolean;
}

/** `pid (comm) state ppid pgrp session …`; the command may hold blanks and parentheses. */
export function parseStat(text: string): ProcessEntry | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const entry = { pid: Number.parseInt(text, 10), ppid: Number(fields[1]), session: Number(fields[3]) };
  return Number.isInteger(entry.pid) && Number.isInteger(entry.session) ? entry : undefined;
}

/**
 * Everything that belongs to the process: its session, its descendants in other sessions, and what has its mark in the
 * environment, which is how daemons are found after their parents have died.
 */
export function membersOf(root: number, processes: readonly ProcessEntry[]): number[] {
  const members = new Set([root]);
  for (let before = 0; before !== members.size;) {
    before = members.size;
    for (const { pid, ppid, session, marked } of processes) {
      if (session === root || marked === true || members.has(ppid)) members.add(pid);
    }
  }
  return [...members];
}

function listProcesses(mark: string): ProcessEntry[] {
  const entries: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const entry = parseStat(readFileSync(`/proc/${name}/stat`, 'utf8'));
      if (entry) entries.push({ ...entry, marked: isMarked(name, mark) });
    } catch {
      // Gone between the listing and the reading.
    }
  }
  return entries;
}

function isMarked(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(mark);
  } catch {
    return false;
  }
}

/** A figure of a process that grows with each child of it that has ended: the page faults of those. */
export function endedChildrenFaults(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[8]);
  } catch {
    return 0;
  }
}

/** Signals a process (negative: a group); one that is gone or not ours is fine. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH or EPERM: nothing of ours is there.
  }
}

/** Kills a session leader, whose environment has the assignment `mark`, with all that it has left behind, until nothing new appears (something may be forking). */
export function killTree(leader: number, mark: string): void {
  signalQuietly(-leader, 'SIGKILL');
  let previous = '';
  for (let round = 0; round < 10; round += 1) {
    const members = membersOf(leader, listProcesses(mark)).filter((pid) => pid !== process.pid);
    const key = members.join(' ');
    if (key === previous) return;
    previous = key;
    for (const pid of members) signalQuietly(pid, 'SIGKILL');
  }
}
