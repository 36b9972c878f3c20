import { printable } from './printable.js';
import type { Terminal } from './terminal.js';

/** Times as people read them: `35 ms`, `1.2 s`, `2 min 5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/**
 * Steps of something that takes a while, on stderr: on a terminal a line that is updated in place, elsewhere one plain
 * line when a step ends.
 */
export class Progress {
  #current = '';
  #drawn = false;

  constructor(
    private readonly terminal: Terminal,
    private readonly now: () => number,
    private readonly isQuiet = false,
  ) {}

  /** Runs one step. `work` may tell how it goes; what it returns as `detail` ends up in the line. */
  async step<T>(
    label: string,
    work: (update: (message: string) => void) => Promise<T>,
    detail?: (value: T) => string,
  ): Promise<T> {
    const start = this.now();
    this.#current = label;
    this.update('');
    try {
      const value = await work((message) => this.update(message));
      const text = detail?.(value) ?? '';
      this.#end('✓', 'green', label + (text === '' ? '' : `: ${printable(text)}`), this.now() - start);
      return value;
    } catch (error) {
      this.#end('✗', 'red', label, this.now() - start);
      throw error;
    }
  }

  /** What is going on within the current step; shown on terminals only. */
  update(message: string): void {
    if (this.isQuiet || !this.terminal.isInteractive) return;
    const width = Math.max(20, (this.terminal.io.stderr.columns ?? 80) - 1);
    const text = `… ${this.#current}${message === '' ? '' : `: ${printable(message)}`}`;
    this.terminal.io.stderr.write(`\r\u001b[2K${text.slice(0, width)}`);
    this.#drawn = true;
  }

  /** Takes the unfinished line away, before something else writes to the terminal. */
  clear(): void {
    if (this.#drawn) this.terminal.io.stderr.write('\r\u001b[2K');
    this.#drawn = false;
  }

  #end(mark: string, colour: 'green' | 'red', text: string, ms: number): void {
    this.clear();
    if (this.isQuiet) return;
    const time = this.terminal.colour('dim', `(${formatDuration(ms)})`);
    this.terminal.say(`${this.terminal.colour(colour, mark)} ${text} ${time}`);
  }
}
