import { FitAddon } from '@xterm/addon-fit';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { Terminal } from '@xterm/xterm';
import { Link } from './link.js';
import { sessionId } from './session-id.js';

/** Output that is not on the screen yet: above the first the shell has to wait, below the second it may go on. */
const HIGH_BYTES = 1 << 19;
const LOW_BYTES = 1 << 17;
const NOTICES = {
  ended: 'The terminal is closed. Press Enter to open it again.',
  'taken over': 'This terminal is open in another tab. Press Enter to have it here.',
  lost: 'The connection is lost. Connecting again…',
} as const;

const element = (id: string): HTMLElement => document.getElementById(id) ?? document.body;
const notice = element('notice');
const session = sessionId();

const terminal = new Terminal({
  allowProposedApi: true,
  cursorBlink: true,
  fontFamily: 'ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
  fontSize: 14,
  scrollback: 10_000,
  theme: { background: '#1b1d23', foreground: '#e8eaf0' },
});
const fitAddon = new FitAddon();
terminal.loadAddon(fitAddon);
terminal.loadAddon(new Unicode11Addon());
terminal.unicode.activeVersion = '11';
terminal.open(element('terminal'));
fit();

let unwritten = 0;
let isPaused = false;

const link = new Link(() => ({ AuthToken: '', columns: terminal.cols, rows: terminal.rows, session }), {
  onOpen: () => {
    notice.hidden = true;
    isPaused = false;
    terminal.reset();
    terminal.focus();
  },
  onOutput: (data) => {
    unwritten += data.length;
    if (!isPaused && unwritten > HIGH_BYTES) {
      isPaused = true;
      link.pause();
    }
    terminal.write(data, () => {
      unwritten -= data.length;
      if (!isPaused || unwritten > LOW_BYTES) return;
      isPaused = false;
      link.resume();
    });
  },
  onTitle: (title) => (document.title = title),
  onClose: (reason) => {
    notice.textContent = NOTICES[reason];
    notice.hidden = false;
    isWaitingForEnter = reason !== 'lost';
  },
});
let isWaitingForEnter = false;

terminal.onData((text) => {
  if (link.isOpen) link.type(new TextEncoder().encode(text));
  else if (isWaitingForEnter && text === '\r') {
    isWaitingForEnter = false;
    link.open();
  }
});
// Reports of the mouse, which are bytes and not text.
terminal.onBinary((text) => link.type(Uint8Array.from(text, (character) => character.charCodeAt(0))));
terminal.onResize(({ cols, rows }) => link.resize(cols, rows));
terminal.onTitleChange((title) => (document.title = title));
new ResizeObserver(fit).observe(element('terminal'));
link.open();

/** A page that is not shown has no size, which is none that a shell should have. */
function fit(): void {
  if (element('terminal').clientHeight > 0) fitAddon.fit();
}
