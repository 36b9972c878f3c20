import { describe, expect, it } from 'vitest';
import { membersOf, parseStat } from './process-tree.js';

describe('parseStat', () => {
  it('survives a command with blanks and parentheses', () => {
    expect(parseStat('42 (a) b) (c) S 7 42 41 0 -1')).toEqual({ pid: 42, ppid: 7, session: 41 });
  });

  it('gives nothing for garbage', () => {
    expect(parseStat('')).toBeUndefined();
  });
});

describe('membersOf', () => {
  it('takes the session, descendants that left it and marked daemons, not strangers', () => {
    const processes = [
      { pid: 1, ppid: 0, session: 1 },
      { pid: 10, ppid: 1, session: 10 },
      { pid: 13, ppid: 12, session: 12 },
      { pid: 12, ppid: 11, session: 12 },
      { pid: 11, ppid: 10, session: 10 },
      { pid: 14, ppid: 1, session: 10 },
      { pid: 20, ppid: 1, session: 20 },
      { pid: 30, ppid: 1, session: 30, marked: true },
      { pid: 31, ppid: 30, session: 31 },
    ];
    expect(membersOf(10, processes).sort()).toEqual([10, 11, 12, 13, 14, 30, 31]);
  });
});
