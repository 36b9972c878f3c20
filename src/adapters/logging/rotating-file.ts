import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid } from '../../domain/error/errors.js';

export interface RotatingFileOptions {
  /** Made with its folder, mode 0640; appended to if it is there. */
  readonly file: string;
  /** A line that would make the file larger starts a new one; 0 = never. */
  readonly maxBytes: number;
  /** How many older ones are kept, as `.1` (the youngest), `.2`, …; 0 = the file is never changed for a new one. */
  readonly backups: number;
}

/**
 * A log file that makes room for itself, as Python's handler of that name does, so that what ships an operator's logs
 * finds what it knows. Writes synchronously: the last line before a crash is there. A line that can't be written is
 * lost, for a full disk must not end the agent; that is told once, and every further line tries again.
 */
export class RotatingFile implements Disposable {
  #descriptor: number | undefined;
  #bytes = 0;
  #failing = false;

  /** Throws a ConfigurationError if the file can't be opened. */
  constructor(
    private readonly options: RotatingFileOptions,
    private readonly onFailure: (problem: string) => void,
  ) {
    try {
      this.#open();
    } catch (error) {
      throw configurationInvalid(`the log file can't be opened: ${messageOf(error)}`, {
        field: 'logging.file.path',
        allowed: 'a folder that the agent may write to',
        cause: error,
      });
    }
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    try {
      const hasRoom = this.#makeRoom(bytes.length);
      const descriptor = this.#descriptor ?? this.#open();
      for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
      this.#bytes += bytes.length;
      if (hasRoom) this.#failing = false;
    } catch (error) {
      this.#close();
      this.#complain(error);
    }
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  /** False if there should be a new file and can't be: then this one grows on. */
  #makeRoom(bytes: number): boolean {
    const { file, maxBytes, backups } = this.options;
    if (maxBytes === 0 || backups === 0 || this.#bytes === 0 || this.#bytes + bytes <= maxBytes) return true;
    this.#close();
    try {
      for (let number = backups - 1; number >= 0; number -= 1) {
        move(number === 0 ? file : `${file}.${number}`, `${file}.${number + 1}`);
      }
      return true;
    } catch (error) {
      this.#complain(error);
      return false;
    }
  }

  #complain(error: unknown): void {
    if (!this.#failing) this.onFailure(`${this.options.file}: ${messageOf(error)}`);
    this.#failing = true;
  }

  #open(): number {
    const { file } = this.options;
    mkdirSync(dirname(file), { recursive: true });
    const descriptor = openSync(file, 'a', 0o640);
    this.#descriptor = descriptor;
    this.#bytes = fstatSync(descriptor).size;
    return descriptor;
  }

  #close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#bytes = 0;
  }
}

/** Takes the place of what is there; one that is not there yet need not be moved. */
function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
