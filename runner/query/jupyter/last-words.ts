import type { OutputSink } from '../../process/output-pump.js';
import type { Frame } from '../../wire/frames.js';

const KEPT_CHARACTERS = 16 << 10;

/** Keeps the end of what a language process writes to its own stderr, to find there why the interpreter broke. */
export class LastWords implements OutputSink {
  private text = '';

  constructor(private readonly pressure: Pick<OutputSink, 'congested' | 'room'>) {}

  get congested(): boolean {
    return this.pressure.congested;
  }

  room(): Promise<void> {
    return this.pressure.room();
  }

  push({ kind, payload }: Frame): void {
    if (kind !== 'stderr') return;
    const text = typeof payload === 'string' ? payload : Buffer.from(payload).toString();
    this.text = (this.text + text).slice(-KEPT_CHARACTERS);
  }

  /** The interpreter's report of a crash of its own, such as a segmentation fault. */
  fatalError(): string | undefined {
    const at = this.text.lastIndexOf('Fatal Python error');
    return at < 0 ? undefined : this.text.slice(at);
  }
}
