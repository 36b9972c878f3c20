import type { ConsoleItem } from './execution.js';
import { parseMedia } from './run-payload.js';

export type ConsoleKind = 'stdout' | 'stderr' | 'media' | 'html' | 'log';

/** What a record costs besides its text, so that a million tiny ones are bounded too. */
const RECORD_OVERHEAD = 32;

/**
 * Console output in order (krunner.md §3.5): neighbouring stdout records are one item, neighbouring stderr ones too,
 * every other record is an item of its own, empty text is nothing.
 *
 * It keeps at most what its budget allows, in UTF-16 units plus a small cost per record. From the first record that
 * doesn't fit on, everything is left out, so that what is kept is a clean prefix; the last item then tells how much is
 * missing.
 */
export class ConsoleBuffer {
  readonly #items: ConsoleItem[] = [];
  #last: { readonly kind: 'stdout' | 'stderr'; text: string } | undefined;
  #cost = 0;
  #leftOut = 0;

  /** Takes one record and says what it cost. `room` is what may be spent. */
  append(kind: ConsoleKind, text: string, room: number): number {
    if (text === '') return 0;
    const cost = text.length + RECORD_OVERHEAD;
    if (this.#leftOut > 0 || cost > room) return this.#cut(kind, text, room);
    this.#keep(kind, text);
    this.#cost += cost;
    return cost;
  }

  get cost(): number {
    return this.#cost;
  }

  /** Closes the buffer: what it holds, with the notice about what it doesn't. */
  items(): readonly ConsoleItem[] {
    this.#flush();
    if (this.#leftOut === 0) return this.#items;
    return [...this.#items, ['stderr', cutNotice(this.#leftOut)]];
  }

  #cut(kind: ConsoleKind, text: string, room: number): number {
    const isStream = kind === 'stdout' || kind === 'stderr';
    const fits = this.#leftOut === 0 && isStream ? Math.max(0, room - RECORD_OVERHEAD) : 0;
    const kept = text.slice(0, endsInsidePair(text, fits) ? fits - 1 : fits);
    this.#leftOut += text.length - kept.length;
    if (kept === '') return 0;
    this.#keep(kind, kept);
    const cost = kept.length + RECORD_OVERHEAD;
    this.#cost += cost;
    return cost;
  }

  #keep(kind: ConsoleKind, text: string): void {
    if (kind === 'stdout' || kind === 'stderr') {
      if (this.#last?.kind === kind) this.#last.text += text;
      else {
        this.#flush();
        this.#last = { kind, text };
      }
      return;
    }
    this.#flush();
    this.#items.push(kind === 'media' ? parseMedia(text) : [kind, text]);
  }

  #flush(): void {
    if (this.#last) this.#items.push([this.#last.kind, this.#last.text]);
    this.#last = undefined;
  }
}

export function cutNotice(leftOut: number): string {
  return `\n[backend.ai] ${leftOut} characters of output are left out here: nobody was reading them\n`;
}

/** True if a cut at `length` would tear a character of two UTF-16 units. */
function endsInsidePair(text: string, length: number): boolean {
  const unit = text.charCodeAt(length - 1);
  return length > 0 && length < text.length && unit >= 0xd800 && unit <= 0xdbff;
}
