import type { CliIo, CliOutput } from '../cli-dependencies.js';
import { OutputClosedError } from '../exit-status.js';

type Colour = 'red' | 'green' | 'yellow' | 'dim' | 'bold';
const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 };

/** The two output streams of a command: data on stdout, everything said to people on stderr. */
export class Terminal {
  /** Fires when the reader of stdout goes away. */
  readonly closed: AbortSignal;
  readonly #closing = new AbortController();
  readonly #isColoured: boolean;

  constructor(readonly io: CliIo) {
    this.closed = this.#closing.signal;
    const { NO_COLOR: noColour, TERM: kind } = io.env;
    this.#isColoured = io.stderr.isTTY === true && (noColour ?? '') === '' && kind !== 'dumb';
    const leave = (): void => this.#closing.abort(new OutputClosedError());
    io.stdout.on('error', leave);
    io.stderr.on('error', () => undefined);
  }

  /** True if lines on stderr may be overwritten. */
  get isInteractive(): boolean {
    return this.io.stderr.isTTY === true && this.io.env['TERM'] !== 'dumb';
  }

  /** Resolves when the stream can take more, so that a program that prints a gigabyte doesn't fill our memory. */
  out(data: string | Uint8Array): Promise<void> {
    this.closed.throwIfAborted();
    return this.#write(this.io.stdout, data);
  }

  err(data: string | Uint8Array): Promise<void> {
    return this.#write(this.io.stderr, data);
  }

  /** One line for people. */
  say(line: string): void {
    this.io.stderr.write(`${line}\n`);
  }

  json(document: unknown): Promise<void> {
    return this.out(`${JSON.stringify(document, undefined, 2)}\n`);
  }

  colour(colour: Colour, text: string): string {
    return this.#isColoured ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
  }

  #write(stream: CliOutput, data: string | Uint8Array): Promise<void> {
    if (data.length === 0 || stream.write(data) || this.closed.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off('drain', done);
        stream.off('close', done);
        this.closed.removeEventListener('abort', done);
        resolve();
      };
      stream.once('drain', done);
      stream.once('close', done);
      this.closed.addEventListener('abort', done);
    });
  }
}
