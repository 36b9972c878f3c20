import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withEntry, withoutTarget } from './fstab.js';

const ENTRY = { source: 'nas:/export/a', target: '/mnt/a', type: 'nfs4', options: 'vers=4.1,hard' };

describe('withEntry', () => {
  it('appends a line of six fields and leaves the others as they are', () => {
    const text = '# mine\nUUID=1 / ext4 errors=remount-ro 0 1';
    expect(withEntry(text, ENTRY)).toBe(`${text}\nnas:/export/a /mnt/a nfs4 vers=4.1,hard 0 0\n`);
  });

  it('says "defaults" where there are no options', () => {
    expect(withEntry('', { ...ENTRY, options: '' })).toBe('nas:/export/a /mnt/a nfs4 defaults 0 0\n');
  });

  it('replaces the line of the same mount point, and no comment', () => {
    const text = '# /mnt/a /mnt/a\nold:/x\t/mnt/a nfs ro 0 0\nold:/x /mnt/ab nfs ro 0 0\n';
    expect(withEntry(text, ENTRY)).toBe(
      '# /mnt/a /mnt/a\nold:/x /mnt/ab nfs ro 0 0\nnas:/export/a /mnt/a nfs4 vers=4.1,hard 0 0\n',
    );
  });

  it('can always be taken back, whatever the names are', () => {
    const field = fc.string({ minLength: 1, unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(field, field, (source, name) => {
        const before = 'UUID=1 / ext4 defaults 0 1\n';
        const target = `/mnt/${name}`;
        const after = withEntry(before, { source, target, type: 'nfs', options: '' });
        expect(after.trimEnd().split('\n').at(-1)?.split(/\s+/)).toHaveLength(6);
        expect(withoutTarget(after, target)).toBe(before);
      }),
    );
  });
});
