import { SerializeAddon } from '@xterm/addon-serialize';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal as Emulator } from '@xterm/headless';
import type { TerminalSize } from '../process/terminal.js';

/** Lines above the screen that a client sees when it comes back: about 1.5 MB of memory at 120 columns. */
const SCROLLBACK = 1000;

/**
 * What a client would have on its screen, for one that comes back. It must be the picture and not the bytes that made it:
 * those may begin within a sequence, miss a mode that was set long ago, and ask questions that a client would answer again.
 */
export class Screen {
  /** As the program has named it. */
  title = '';
  private readonly emulator: Emulator;
  private readonly serializer = new SerializeAddon();

  constructor({ cols, rows }: TerminalSize, onAnswer: (text: string) => void) {
    this.emulator = new Emulator({ cols, rows, scrollback: SCROLLBACK, allowProposedApi: true });
    this.emulator.loadAddon(this.serializer);
    this.emulator.loadAddon(new Unicode11Addon());
    this.emulator.unicode.activeVersion = '11';
    this.emulator.onData(onAnswer);
    this.emulator.onTitleChange((title) => (this.title = title));
  }

  /** `done` is called when the data is on the screen. */
  write(data: Uint8Array, done: () => void): void {
    this.emulator.write(data, done);
  }

  resize({ cols, rows }: TerminalSize): void {
    this.emulator.resize(cols, rows);
  }

  /** Everything that was written before this call, and nothing that is written after it. */
  picture(): Promise<string> {
    return new Promise((resolve) => this.emulator.write('', () => resolve(this.serializer.serialize())));
  }

  dispose(): void {
    this.emulator.dispose();
  }
}
