/** One entry of a tar archive, whose content follows padded to whole blocks. */
export interface TarEntry {
  readonly type: 'file' | 'directory' | 'symlink';
  /** Of directories with a slash at the end. */
  readonly name: string;
  readonly linkname?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
  readonly size: number;
}

export const TAR_BLOCK_BYTES = 512;
/** What comes after the last entry. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK_BYTES);

const TYPE_FLAG = { file: '0', symlink: '2', directory: '5', pax: 'x' } as const;
const NAME_BYTES = 100;
/** Largest numbers that the fields of 8 and 12 octal digits hold. */
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;

/**
 * The header of an entry (POSIX.1-2001): a ustar block, with a pax block ahead of it for what does not fit or is not ASCII.
 * Made here and not by a stream, so that an archive of any size is read at the pace of its reader.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const records = paxRecords(entry);
  const own = block(entry, TYPE_FLAG[entry.type]);
  if (records.length === 0) return own;
  const pax = { ...entry, name: 'PaxHeader/entry', linkname: '', mode: 0o644, size: records.length };
  return Buffer.concat([block(pax, TYPE_FLAG.pax), records, tarPadding(records.length), own]);
}

/** Zeros up to the next block after so many bytes of content. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((TAR_BLOCK_BYTES - (size % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES);
}

function block(entry: TarEntry, typeFlag: string): Buffer {
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  header.write(entry.name, 0, NAME_BYTES);
  octal(header, 100, 8, entry.mode & 0o7777);
  octal(header, 108, 8, Math.min(entry.uid, MAX_ID));
  octal(header, 116, 8, Math.min(entry.gid, MAX_ID));
  octal(header, 124, 12, Math.min(entry.size, MAX_SIZE));
  octal(header, 136, 12, Math.max(0, Math.floor(entry.mtimeMs / 1000)));
  header.write(' '.repeat(8), 148);
  header.write(typeFlag, 156);
  header.write(entry.linkname ?? '', 157, NAME_BYTES);
  header.write('ustar\u000000', 257);
  octal(
    header,
    148,
    7,
    header.reduce((sum, byte) => sum + byte, 0),
  );
  return header;
}

/** The last byte of a field stays zero. */
function octal(header: Buffer, offset: number, width: number, value: number): void {
  header.write(value.toString(8).padStart(width - 1, '0'), offset, width - 1);
}

function paxRecords({ name, linkname = '', uid, gid, size }: TarEntry): Buffer {
  const records = [
    ...(fits(name) ? [] : [record('path', name)]),
    ...(fits(linkname) ? [] : [record('linkpath', linkname)]),
    ...(uid > MAX_ID ? [record('uid', String(uid))] : []),
    ...(gid > MAX_ID ? [record('gid', String(gid))] : []),
    ...(size > MAX_SIZE ? [record('size', String(size))] : []),
  ];
  return Buffer.from(records.join(''));
}

function fits(text: string): boolean {
  return text.length <= NAME_BYTES && Buffer.byteLength(text) === text.length;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}
