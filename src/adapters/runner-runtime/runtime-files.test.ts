import { describe, expect, it } from 'vitest';
import { parseLibraryList } from './runtime-files.js';

describe('parseLibraryList', () => {
  it('takes what has a path, without the loader and the vDSO', () => {
    const text = [
      '\tlinux-vdso.so.1 (0x00007ffe)',
      '\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f01)',
      '\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f02)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007f03)',
      '\tld-linux-x86-64.so.2 => /lib64/ld-linux-x86-64.so.2 (0x00007f04)',
    ].join('\n');
    expect(parseLibraryList(text)).toEqual(['/lib/x86_64-linux-gnu/libstdc++.so.6', '/lib/x86_64-linux-gnu/libc.so.6']);
  });

  it('names a library that is missing', () => {
    expect(() => parseLibraryList('\tlibatomic.so.1 => not found\n')).toThrow('libatomic.so.1 is not found');
  });
});
