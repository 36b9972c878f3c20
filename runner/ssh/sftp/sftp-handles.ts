import type { Dir } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** An open file or folder. `append` = every write goes to the end, whatever offset it names. */
export type OpenThing =
  { readonly file: FileHandle; readonly append: boolean } | { readonly folder: Dir; readonly path: string };

const MAX_OPEN = 256;

/** The handles of one client, by number. */
export class SftpHandles {
  private readonly open = new Map<number, OpenThing>();
  private serial = 0;

  /** Throws if the client has too many. */
  add(thing: OpenThing): Buffer {
    if (this.open.size >= MAX_OPEN) {
      void close(thing);
      throw new Error('too many open handles');
    }
    this.serial += 1;
    this.open.set(this.serial, thing);
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(this.serial);
    return handle;
  }

  get(handle: Buffer): OpenThing | undefined {
    return handle.length === 4 ? this.open.get(handle.readUInt32BE(0)) : undefined;
  }

  async close(handle: Buffer): Promise<boolean> {
    const thing = this.get(handle);
    if (!thing) return false;
    this.open.delete(handle.readUInt32BE(0));
    await close(thing);
    return true;
  }

  async closeAll(): Promise<void> {
    const things = [...this.open.values()];
    this.open.clear();
    await Promise.allSettled(things.map(close));
  }
}

function close(thing: OpenThing): Promise<void> {
  return 'file' in thing ? thing.file.close() : thing.folder.close();
}
