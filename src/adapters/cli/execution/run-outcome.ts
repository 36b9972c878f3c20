import type { ConsoleItem } from '../../../domain/execution/execution.js';

/** How a program ended, as `ag run --json` tells it. */
export type RunStatus = 'finished' | 'exception' | 'timeout' | 'interrupted' | 'oom' | 'error';

export interface RunOutcome {
  readonly status: RunStatus;
  readonly exitCode: number | null;
  /** Only if asked for; then pieces of one stream that follow each other are one item. */
  readonly console: readonly ConsoleItem[];
}

/** Output kept for the JSON document; a program may print more than a document can hold. */
const MAX_KEPT_CHARS = 32 * 1024 * 1024;

/** Puts pieces of output together again, up to a limit. */
export class ConsoleRecord {
  readonly #items: ConsoleItem[] = [];
  #room = MAX_KEPT_CHARS;

  add(item: ConsoleItem): void {
    const length = typeof item[1] === 'string' ? item[1].length : item[1][1].length;
    if (this.#room === 0) return;
    if (length > this.#room) {
      this.#room = 0;
      this.#items.push(['log', `output is left out from here on: more than ${MAX_KEPT_CHARS} characters\n`]);
      return;
    }
    this.#room -= length;
    const last = this.#items.at(-1);
    if (last !== undefined && last[0] === item[0] && (item[0] === 'stdout' || item[0] === 'stderr'))
      this.#items[this.#items.length - 1] = [item[0], `${String(last[1])}${item[1]}`];
    else this.#items.push(item);
  }

  get items(): readonly ConsoleItem[] {
    return this.#items;
  }
}

/**
 * The value of the last expression, as far as the frames between agent and runner tell it: rich values come as `media`
 * or `html`, plain ones as output without an end of line (krunner.md §2.5).
 */
export function resultOf({ status, console }: RunOutcome): unknown {
  if (status !== 'finished') return null;
  const last = console.findLast(([kind]) => kind === 'media' || kind === 'html' || kind === 'stdout');
  if (last === undefined) return null;
  if (last[0] === 'media') return { mime: last[1][0], data: last[1][1] };
  if (last[0] === 'html') return { mime: 'text/html', data: last[1] };
  const tail = last[1].slice(last[1].lastIndexOf('\n') + 1);
  return tail === '' ? null : tail;
}
