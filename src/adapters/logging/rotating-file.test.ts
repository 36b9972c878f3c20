import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RotatingFile, type RotatingFileOptions } from './rotating-file.js';

describe('a rotating file', () => {
  let folder: string;
  let problems: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'rotating-'));
    problems = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const open = (options: Partial<RotatingFileOptions> = {}) =>
    new RotatingFile({ file: join(folder, 'agent.log'), maxBytes: 10, backups: 2, ...options }, (problem) =>
      problems.push(problem),
    );
  const files = () =>
    Object.fromEntries(
      readdirSync(folder)
        .sort()
        .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
    );

  it('makes room when a line does not fit, and keeps so many older ones', () => {
    using file = open();
    for (const line of ['one.', 'two.', 'three', 'four.', 'five.', 'six..', 'seven']) file.write(`${line}\n`);
    expect(files()).toEqual({
      'agent.log': 'seven\n',
      'agent.log.1': 'six..\n',
      'agent.log.2': 'five.\n',
    });
    expect(statSync(join(folder, 'agent.log')).mode & 0o777).toBe(0o640);
    expect(problems).toEqual([]);
  });

  it('counts what an earlier life wrote, in bytes', () => {
    writeFileSync(join(folder, 'agent.log'), 'ééé');
    using file = open();
    file.write('abcde');
    expect(files()).toEqual({ 'agent.log': 'abcde', 'agent.log.1': 'ééé' });
  });

  it('takes a line that is larger than a file by itself, and never leaves an empty one', () => {
    using file = open();
    file.write('a line of its own length');
    file.write('b');
    expect(files()).toEqual({ 'agent.log': 'b', 'agent.log.1': 'a line of its own length' });
  });

  it.each([{ maxBytes: 0 }, { backups: 0 }])('grows without end with %o', (options) => {
    using file = open(options);
    for (let number = 0; number < 5; number += 1) file.write('0123456789');
    expect(files()).toEqual({ 'agent.log': '0123456789'.repeat(5) });
  });

  it('grows while it can not be moved away, says so once, and makes room when it can', () => {
    using file = open();
    file.write('before...\n');
    // A folder in the place of the youngest older one: nothing can be moved there.
    mkdirSync(join(folder, 'agent.log.2', 'x'), { recursive: true });
    mkdirSync(join(folder, 'agent.log.1'));
    file.write('one......\n');
    file.write('two......\n');
    expect(problems).toEqual([expect.stringContaining('agent.log: ')]);
    rmSync(join(folder, 'agent.log.1'), { recursive: true });
    rmSync(join(folder, 'agent.log.2'), { recursive: true });
    file.write('after....\n');
    expect(files()).toEqual({ 'agent.log': 'after....\n', 'agent.log.1': 'before...\none......\ntwo......\n' });
    expect(problems).toHaveLength(1);
  });

  it('outlives a full disk, and says so once', () => {
    using file = open({ file: '/dev/full' });
    file.write('lost\n');
    file.write('lost too\n');
    expect(problems).toEqual([expect.stringMatching(/^\/dev\/full: ENOSPC/)]);
  });

  it('names its key if it can not be opened at all', () => {
    writeFileSync(join(folder, 'agent.log'), '');
    expect(() => open({ file: join(folder, 'agent.log', 'x') })).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', field: 'logging.file.path' }),
    );
  });
});
