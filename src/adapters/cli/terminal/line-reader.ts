import type { CliInput } from '../cli-dependencies.js';

/** A line longer than this is handed over in parts. */
const MAX_LINE = 1024 * 1024;
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const BACKSPACES: ReadonlySet<string> = new Set(['\u007f', '\b']);

/**
 * Lines of standard input, read only while somebody waits for one: input that a program never asks for stays where it
 * is. Not for concurrent use.
 */
export class LineReader implements Disposable {
  #buffer = '';
  #ended = false;
  #started = false;
  #wake: (() => void) | undefined;

  constructor(
    private readonly input: CliInput,
    /** Called for Ctrl-C while a secret is typed, since then the terminal sends no signal. */
    private readonly onInterrupt: () => void,
  ) {}

  /** The next line without its end, `undefined` at the end of input; rejects when `signal` fires. */
  async readLine(isSecret: boolean, signal: AbortSignal): Promise<string | undefined> {
    signal.throwIfAborted();
    this.#start();
    const isHidden = isSecret && this.input.isTTY === true && this.input.setRawMode !== undefined;
    if (isHidden) this.input.setRawMode?.(true);
    this.input.resume();
    try {
      return isHidden ? await this.#hiddenLine(signal) : await this.#line(signal);
    } finally {
      this.input.pause();
      if (isHidden) this.input.setRawMode?.(false);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#started) return;
    this.input.off('data', this.#onData);
    this.input.off('end', this.#onEnd);
    this.input.off('error', this.#onEnd);
    this.input.pause();
  }

  async #line(signal: AbortSignal): Promise<string | undefined> {
    for (;;) {
      const end = this.#buffer.indexOf('\n');
      if (end >= 0) return this.#take(end, end + 1).replace(/\r$/, '');
      if (this.#buffer.length > MAX_LINE) return this.#take(MAX_LINE, MAX_LINE);
      if (this.#ended) return this.#buffer === '' ? undefined : this.#take(this.#buffer.length, this.#buffer.length);
      await this.#more(signal);
    }
  }

  /** Raw mode: no echo, so the keys that a terminal would handle are ours. */
  async #hiddenLine(signal: AbortSignal): Promise<string | undefined> {
    let line = '';
    for (;;) {
      for (const key of this.#take(this.#buffer.length, this.#buffer.length)) {
        if (key === '\r' || key === '\n') return line;
        if (key === CTRL_C) this.onInterrupt();
        else if (key === CTRL_D && line === '') return undefined;
        else if (BACKSPACES.has(key)) line = line.replace(/.$/su, '');
        else if (line.length < MAX_LINE) line += key;
      }
      if (this.#ended) return line === '' ? undefined : line;
      await this.#more(signal);
    }
  }

  #take(end: number, next: number): string {
    const text = this.#buffer.slice(0, end);
    this.#buffer = this.#buffer.slice(next);
    return text;
  }

  #more(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#wake = undefined;
        reject(signal.reason as Error);
      };
      this.#wake = () => {
        signal.removeEventListener('abort', abort);
        this.#wake = undefined;
        resolve();
      };
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    this.input.setEncoding('utf8');
    this.input.on('data', this.#onData);
    this.input.on('end', this.#onEnd);
    this.input.on('error', this.#onEnd);
    if (this.input.readableEnded) this.#ended = true;
  }

  readonly #onData = (chunk: string): void => {
    this.#buffer += chunk;
    if (this.#buffer.length > MAX_LINE) this.input.pause();
    this.#wake?.();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
}
