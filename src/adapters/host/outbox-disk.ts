import { write as writeSome } from 'node:fs';
import { mkdir, open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { writeFileAtomically } from './atomic-file.js';

/** The little that is asked of a file system. */
export interface OutboxDisk {
  read(path: string): Promise<Buffer | undefined>;
  /** Afterwards, also after a crash, the file is the old or the new one. */
  replace(path: string, content: string): Promise<void>;
  openForAppend(path: string): Promise<OutboxFile>;
}

export interface OutboxFile {
  append(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const hostDisk: OutboxDisk = {
  read: async (path) => {
    try {
      return await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  replace: async (path, content) => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFileAtomically(path, content);
  },
  openForAppend: async (path) => appending(await open(path, 'a', 0o600)),
};

function appending(file: FileHandle): OutboxFile {
  return {
    append: (text) => writeAll(file.fd, Buffer.from(text)),
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

const write = promisify(writeSome);

/** What a file handle's own `appendFile` does, which makes three kilobytes of garbage for each event. */
async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await write(fd, bytes, done)).bytesWritten;
}
