import { closeSync, openSync, readSync } from 'node:fs';

const INITIAL_BUFFER_BYTES = 64 * 1024;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/**
 * The kernel hands out long files in pages of 4 KiB, each cut between two records of a few hundred bytes: a piece that
 * is shorter than this is the last one, which saves asking for the end of each small file.
 */
const SURELY_WHOLE_BYTES = 2048;

/** One buffer for all readers: each text is taken out before the next read begins. */
let buffer = Buffer.allocUnsafe(INITIAL_BUFFER_BYTES);

/** A kernel file that stays open: each read gives its present content without a look-up of its path. */
export class KeptFile implements Disposable {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` if there is no such file, or none that may be read. */
  static open(path: string): KeptFile | undefined {
    try {
      return new KeptFile(openSync(path, 'r'));
    } catch {
      return undefined;
    }
  }

  /**
   * The content now. Kernel files have no size and may come in pieces, so it is read until the end.
   * @returns `undefined` once what it describes is gone (ENODEV), or after disposal
   */
  read(): string | undefined {
    if (this.#fd === undefined) return undefined;
    let length = 0;
    try {
      for (;;) {
        if (length === buffer.length) {
          if (length >= MAX_FILE_BYTES) break;
          buffer = Buffer.concat([buffer], buffer.length * 2);
        }
        const read = readSync(this.#fd, buffer, length, buffer.length - length, length);
        length += read;
        if (read < SURELY_WHOLE_BYTES) break;
      }
    } catch {
      return undefined;
    }
    return buffer.toString('latin1', 0, length);
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** A file that is looked at once; `undefined` if it is not there. */
export function readOnce(path: string): string | undefined {
  const file = KeptFile.open(path);
  try {
    return file?.read();
  } finally {
    file?.[Symbol.dispose]();
  }
}
