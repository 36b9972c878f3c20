import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../domain/error/agent-error.js';
import { configurationInvalid } from '../../domain/error/errors.js';

/** Tells a service manager which process the agent is. It is no lock: what an earlier one left there is overwritten. */
export class PidFile implements Disposable {
  readonly #text = `${process.pid}\n`;

  /** Throws a ConfigurationError if it can't be written. */
  constructor(private readonly file: string) {
    try {
      writeFileSync(file, this.#text);
    } catch (error) {
      throw configurationInvalid(`the process id can't be written to ${file}: ${messageOf(error)}`, {
        field: 'agent.pid-file',
        allowed: 'a file in a directory that is there and may be written to',
        cause: error,
      });
    }
  }

  /** Removes it if it still tells of this process; so neither another's file goes nor a device such as /dev/null. */
  [Symbol.dispose](): void {
    try {
      if (readFileSync(this.file, 'utf8') === this.#text) rmSync(this.file);
    } catch {
      // Somebody else took it away, or the directory with it.
    }
  }
}
