import { constants, type Dirent, type Stats } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readFile,
  readlink,
  rename,
  rmdir,
  unlink,
  type FileHandle,
} from 'node:fs/promises';

/** Linux's `O_PATH`: a reference to a place that needs no permission on it. Node does not name it. */
const O_PATH = 0o10000000;
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/**
 * An open directory, and what can be done to the entries of it. Every call names one entry, and reaches it through the
 * descriptor (`/proc/self/fd/N/name`, Linux's way to openat(2) and its sisters from here): whatever is swapped for a
 * symlink in the path meanwhile, a call never leaves the directory that was opened. Rejects with the system's errors.
 */
export class DirectoryHandle implements AsyncDisposable {
  private constructor(
    private readonly handle: FileHandle,
    /** Where it was found, for messages only. */
    readonly path: string,
  ) {}

  /** Opens a directory that the operator named; symlinks in this path are the operator's. */
  static async open(path: string): Promise<DirectoryHandle> {
    return new DirectoryHandle(await open(path, O_RDONLY | O_DIRECTORY), path);
  }

  /** Opens the subdirectory `name`; `ENOTDIR` or `ELOOP` if it is a symlink. */
  async child(name: string): Promise<DirectoryHandle> {
    return new DirectoryHandle(await this.openFile(name, O_RDONLY | O_DIRECTORY), `${this.path}/${name}`);
  }

  /** Opens the entry `name`, never through a symlink. */
  openFile(name: string, flags: number, mode?: number): Promise<FileHandle> {
    return open(this.at(name), flags | O_NOFOLLOW, mode);
  }

  mkdir(name: string, mode: number): Promise<void> {
    return mkdir(this.at(name), { mode }).then(() => undefined);
  }

  lstat(name: string): Promise<Stats> {
    return lstat(this.at(name));
  }

  readlink(name: string): Promise<string> {
    return readlink(this.at(name));
  }

  stat(): Promise<Stats> {
    return this.handle.stat();
  }

  chmod(mode: number): Promise<void> {
    return this.handle.chmod(mode);
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.handle.chown(uid, gid);
  }

  /** Changes the mode of the subdirectory `name` also when its present mode lets nobody in; never through a symlink. */
  async chmodChild(name: string, mode: number): Promise<void> {
    await using place = await this.openFile(name, O_PATH | O_DIRECTORY);
    await chmod(`/proc/self/fd/${place.fd}`, mode);
  }

  unlink(name: string): Promise<void> {
    return unlink(this.at(name));
  }

  rmdir(name: string): Promise<void> {
    return rmdir(this.at(name));
  }

  /** Replaces what has the new name. */
  rename(from: string, to: string, target: DirectoryHandle = this): Promise<void> {
    return rename(this.at(from), target.at(to));
  }

  /** A second name; `EEXIST` if it is taken. */
  link(from: string, to: string): Promise<void> {
    return link(this.at(from), this.at(to));
  }

  /** The entries, as they are read; entries that come or go meanwhile may be missed or seen. */
  async *entries(): AsyncGenerator<Dirent> {
    yield* await opendir(`/proc/self/fd/${this.handle.fd}`, { bufferSize: 256 });
  }

  /** Tells two mounts apart even where they show the same file system. */
  async mountId(): Promise<string> {
    const info = await readFile(`/proc/self/fdinfo/${this.handle.fd}`, 'utf8');
    return /^mnt_id:\s*(\d+)$/m.exec(info)?.[1] ?? '';
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.handle.close();
  }

  private at(name: string): string {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw Object.assign(new Error(`'${name}' is not the name of an entry`), { code: 'EINVAL' });
    }
    return `/proc/self/fd/${this.handle.fd}/${name}`;
  }
}
