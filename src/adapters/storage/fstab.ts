/** A line of fstab(5): six fields, spaces and tabs in them written as octal escapes. */
export interface FstabEntry {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: string;
}

const escape = (field: string): string =>
  field.replace(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);

const fieldsOf = (line: string): string[] => (line.trimStart().startsWith('#') ? [] : line.trim().split(/\s+/));

/** With a line for `entry`; a line for the same mount point is replaced, all others stay as they are. */
export function withEntry(text: string, entry: FstabEntry): string {
  const kept = withoutTarget(text, entry.target);
  const options = entry.options === '' ? 'defaults' : entry.options;
  const line = [entry.source, entry.target, entry.type, options].map(escape).join(' ');
  return `${kept}${kept === '' || kept.endsWith('\n') ? '' : '\n'}${line} 0 0\n`;
}

/** Without the lines whose mount point is `target`. */
export function withoutTarget(text: string, target: string): string {
  return text
    .split('\n')
    .filter((line) => fieldsOf(line)[1] !== escape(target))
    .join('\n');
}
