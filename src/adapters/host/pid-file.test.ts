import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PidFile } from './pid-file.js';

describe('a pid file', () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'pid-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is there while the process runs, whatever an earlier one left', () => {
    const file = join(folder, 'agent.pid');
    writeFileSync(file, '1234567890\n');
    {
      using pid = new PidFile(file);
      expect(pid).toBeDefined();
      expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`);
    }
    expect(existsSync(file)).toBe(false);
  });

  it('is left alone when it became that of another, and when it went', () => {
    const [taken, gone] = [join(folder, 'taken.pid'), join(folder, 'gone.pid')];
    {
      using one = new PidFile(taken);
      using two = new PidFile(gone);
      expect([one, two]).toHaveLength(2);
      writeFileSync(taken, '1\n');
      rmSync(gone);
    }
    expect(readFileSync(taken, 'utf8')).toBe('1\n');
  });

  it('may be /dev/null, as the default of the reference is', () => {
    new PidFile('/dev/null')[Symbol.dispose]();
    expect(existsSync('/dev/null')).toBe(true);
  });

  it('names its key when it can not be written', () => {
    expect(() => new PidFile(join(folder, 'no', 'agent.pid'))).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', field: 'agent.pid-file' }),
    );
  });
});
