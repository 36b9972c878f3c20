import { constants } from 'node:fs';
import {
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readlink,
  realpath,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import ssh2, { type SFTPWrapper } from 'ssh2';
import { HOME } from '../../boot/account.js';
import { applyAttributes, attributesOf, type GivenAttributes, longName } from './sftp-attributes.js';
import { SftpHandles } from './sftp-handles.js';

const { STATUS_CODE, OPEN_MODE } = ssh2.utils.sftp;
const ENTRIES_PER_REPLY = 64;
const MAX_READ_BYTES = 256 << 10;

/** A condition that is an answer and not a failure. */
class Answer extends Error {
  constructor(readonly code: number) {
    super('');
  }
}

/**
 * SFTP, version 3, on the kernel's file system with the rights of its user, who could do all of it in a shell too. `scp`
 * and `sftp` of OpenSSH, `sshfs` and the file panes of editors speak it. Requests are answered in order.
 */
export class SftpServer {
  private readonly handles = new SftpHandles();
  private line: Promise<void> = Promise.resolve();

  constructor(private readonly wire: SFTPWrapper) {
    this.handle('OPEN', (id, path: string, flags: number, attrs: GivenAttributes) => this.open(id, path, flags, attrs));
    this.handle('READ', (id, handle: Buffer, at: number, length: number) => this.read(id, handle, at, length));
    this.handle('WRITE', (id, handle: Buffer, at: number, data: Buffer) => this.write(id, handle, at, data));
    this.handle('FSTAT', async (id, handle: Buffer) => {
      this.wire.attrs(id, attributesOf(await this.fileOf(handle).file.stat()));
    });
    this.handle('FSETSTAT', async (id, handle: Buffer, attrs: GivenAttributes) => {
      await applyAttributes(`/proc/self/fd/${this.fileOf(handle).file.fd}`, attrs);
      this.ok(id);
    });
    this.handle('CLOSE', async (id, handle: Buffer) => {
      if (!(await this.handles.close(handle))) throw new Answer(STATUS_CODE.FAILURE);
      this.ok(id);
    });
    this.handle('OPENDIR', async (id, path: string) => {
      const folder = await opendir(at(path));
      this.wire.handle(id, this.handles.add({ folder, path: at(path) }));
    });
    this.handle('READDIR', (id, handle: Buffer) => this.readFolder(id, handle));
    this.handle('LSTAT', async (id, path: string) => this.wire.attrs(id, attributesOf(await lstat(at(path)))));
    this.handle('STAT', async (id, path: string) => this.wire.attrs(id, attributesOf(await stat(at(path)))));
    this.handle('SETSTAT', async (id, path: string, attrs: GivenAttributes) => {
      await applyAttributes(at(path), attrs);
      this.ok(id);
    });
    this.handle('REALPATH', async (id, path: string) => this.name(id, await canonical(at(path))));
    this.handle('READLINK', async (id, path: string) => this.name(id, await readlink(at(path))));
    this.handle('REMOVE', (id, path: string) => unlink(at(path)).then(() => this.ok(id)));
    this.handle('RMDIR', (id, path: string) => rmdir(at(path)).then(() => this.ok(id)));
    this.handle('MKDIR', async (id, path: string, attrs: GivenAttributes) => {
      await mkdir(at(path), attrs.mode === undefined ? {} : { mode: attrs.mode & 0o7777 });
      this.ok(id);
    });
    this.handle('RENAME', async (id, from: string, to: string) => {
      // Unlike POSIX, this version of the protocol replaces nothing.
      if (await exists(at(to))) throw new Answer(STATUS_CODE.FAILURE);
      await rename(at(from), at(to));
      this.ok(id);
    });
    // OpenSSH's clients give these two the other way round than the standard, and ssh2 turns them for some clients.
    this.handle('SYMLINK', async (id, link_: string, target: string) => {
      await symlink(target, at(link_));
      this.ok(id);
    });
    this.handle('EXTENDED', (id, name: string, data: Buffer) => this.extended(id, name, data));
    // A client that is done says so and waits for the channel's end.
    wire.on('end', () => void this.line.then(() => leave(wire)));
    wire.on('close', () => void this.handles.closeAll());
  }

  private handle(event: string, work: (id: number, ...args: never[]) => Promise<unknown>): void {
    this.wire.on(event, (id: number, ...args: never[]) => {
      this.line = this.line
        .then(() => work(id, ...args))
        .then(
          () => undefined,
          (error: unknown) => this.fail(id, error),
        );
    });
  }

  private async open(id: number, path: string, flags: number, attrs: GivenAttributes): Promise<void> {
    const mode = attrs.mode === undefined ? 0o666 : attrs.mode & 0o7777;
    const file = await open(at(path), openFlags(flags), mode);
    this.wire.handle(id, this.handles.add({ file, append: (flags & OPEN_MODE.APPEND) !== 0 }));
  }

  private async read(id: number, handle: Buffer, position: number, length: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(length, MAX_READ_BYTES));
    const { bytesRead } = await this.fileOf(handle).file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Answer(STATUS_CODE.EOF);
    this.wire.data(id, buffer.subarray(0, bytesRead));
  }

  private async write(id: number, handle: Buffer, position: number, data: Buffer): Promise<void> {
    const { file, append } = this.fileOf(handle);
    for (let done = 0; done < data.length;) {
      const at = append ? null : position + done;
      done += (await file.write(data, done, data.length - done, at)).bytesWritten;
    }
    this.ok(id);
  }

  private async readFolder(id: number, handle: Buffer): Promise<void> {
    const thing = this.handles.get(handle);
    if (!thing || !('folder' in thing)) throw new Answer(STATUS_CODE.FAILURE);
    const names = [];
    while (names.length < ENTRIES_PER_REPLY) {
      const entry = await thing.folder.read();
      if (!entry) break;
      const stats = await lstat(join(thing.path, entry.name)).catch(() => undefined);
      // Gone between the listing and the looking.
      if (!stats) continue;
      names.push({ filename: entry.name, longname: longName(entry.name, stats), attrs: attributesOf(stats) });
    }
    if (names.length === 0) throw new Answer(STATUS_CODE.EOF);
    this.wire.name(id, names);
  }

  private async extended(id: number, name: string, data: Buffer): Promise<void> {
    const [from = '', to = ''] = texts(data);
    if (name === 'posix-rename@openssh.com') await rename(at(from), at(to));
    else if (name === 'hardlink@openssh.com') await link(at(from), at(to));
    else throw new Answer(STATUS_CODE.OP_UNSUPPORTED);
    this.ok(id);
  }

  private fileOf(handle: Buffer) {
    const thing = this.handles.get(handle);
    if (!thing || !('file' in thing)) throw new Answer(STATUS_CODE.FAILURE);
    return thing;
  }

  private ok(id: number): void {
    this.wire.status(id, STATUS_CODE.OK);
  }

  private name(id: number, filename: string): void {
    const attrs = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 };
    this.wire.name(id, [{ filename, longname: filename, attrs }]);
  }

  private fail(id: number, error: unknown): void {
    const { code, message } = error as { readonly code?: unknown; readonly message?: string };
    if (error instanceof Answer) this.wire.status(id, error.code);
    else if (code === 'ENOENT') this.wire.status(id, STATUS_CODE.NO_SUCH_FILE);
    else if (code === 'EACCES' || code === 'EPERM') this.wire.status(id, STATUS_CODE.PERMISSION_DENIED);
    else this.wire.status(id, STATUS_CODE.FAILURE, message ?? 'failed');
  }
}

/** `scp` takes a channel that ends without an exit status for a failure, and ssh2 has no call for it here. */
function leave(wire: SFTPWrapper): void {
  const { _protocol, outgoing } = wire as unknown as {
    readonly _protocol: { exitStatus(channel: number, code: number): void };
    readonly outgoing: { readonly id: number };
  };
  _protocol.exitStatus(outgoing.id, 0);
  wire.end();
}

/** Relative paths begin at home. */
const at = (path: string): string => resolve(HOME, path);

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Also of something that is not there yet. */
async function canonical(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return join(await realpath(parent).catch(() => parent), basename(path));
  }
}

function openFlags(flags: number): number {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const writes = has(OPEN_MODE.WRITE) || has(OPEN_MODE.APPEND);
  const access = !writes ? constants.O_RDONLY : has(OPEN_MODE.READ) ? constants.O_RDWR : constants.O_WRONLY;
  return (
    access |
    (has(OPEN_MODE.APPEND) ? constants.O_APPEND : 0) |
    (has(OPEN_MODE.CREAT) ? constants.O_CREAT : 0) |
    (has(OPEN_MODE.TRUNC) ? constants.O_TRUNC : 0) |
    (has(OPEN_MODE.EXCL) ? constants.O_EXCL : 0)
  );
}

/** Texts with their lengths in front. */
function texts(data: Buffer): string[] {
  const found: string[] = [];
  for (let position = 0; position + 4 <= data.length;) {
    const end = position + 4 + data.readUInt32BE(position);
    found.push(data.toString('utf8', position + 4, end));
    position = end;
  }
  return found;
}
