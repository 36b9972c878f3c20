const TYPES: Readonly<Record<number, string>> = {
  0o140000: 's',
  0o120000: 'l',
  0o100000: '-',
  0o060000: 'b',
  0o040000: 'd',
  0o020000: 'c',
  0o010000: 'p',
};
const TYPE_BITS = 0o170000;
/** Who may, which special bit shows in place of `x`, and as what. */
const CLASSES = [
  { shift: 6, special: 0o4000, letter: 's' },
  { shift: 3, special: 0o2000, letter: 's' },
  { shift: 0, special: 0o1000, letter: 't' },
] as const;

/** A file's type and permissions as `ls -l` writes them: `drwxr-xr-x`, `-rwsr-xr-x`. */
export function modeText(mode: number): string {
  const permissions = CLASSES.map(({ shift, special, letter }) => {
    const bits = mode >> shift;
    const isExecutable = (bits & 1) !== 0;
    const plain = isExecutable ? 'x' : '-';
    const shown = (mode & special) === 0 ? plain : isExecutable ? letter : letter.toUpperCase();
    return `${(bits & 4) === 0 ? '-' : 'r'}${(bits & 2) === 0 ? '-' : 'w'}${shown}`;
  });
  return `${TYPES[mode & TYPE_BITS] ?? '?'}${permissions.join('')}`;
}
