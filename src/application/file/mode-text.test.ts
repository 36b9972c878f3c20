import { describe, expect, it } from 'vitest';
import { modeText } from './mode-text.js';

describe('modeText', () => {
  // As Python's stat.filemode and `ls -l` write them.
  it.each([
    [0o100644, '-rw-r--r--'],
    [0o100755, '-rwxr-xr-x'],
    [0o040700, 'drwx------'],
    [0o120777, 'lrwxrwxrwx'],
    [0o041777, 'drwxrwxrwt'],
    [0o041776, 'drwxrwxrwT'],
    [0o104755, '-rwsr-xr-x'],
    [0o104644, '-rwSr--r--'],
    [0o102755, '-rwxr-sr-x'],
    [0o102745, '-rwxr-Sr-x'],
    [0o010600, 'prw-------'],
    [0o140755, 'srwxr-xr-x'],
    [0o060660, 'brw-rw----'],
    [0o020666, 'crw-rw-rw-'],
    [0o100000, '----------'],
    [0, '?---------'],
  ])('writes %o as %s', (mode, text) => {
    expect(modeText(mode)).toBe(text);
  });
});
