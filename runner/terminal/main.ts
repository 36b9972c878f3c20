import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { serveBehindGate } from '../gate/behind-gate.js';
import { type TerminalOrder, TerminalService } from './terminal-service.js';

/** The third program of the bundle: the terminal in a browser, behind the runner's gate. */
process.title = 'bai-ttyd';
const html = readFileSync(join(__dirname, 'terminal.html'));
const page = { html, gzip: gzipSync(html) };
let service: TerminalService | undefined;
serveBehindGate('ttyd', (order: TerminalOrder, keep) => (service = new TerminalService(order, keep, page)));
process.on('SIGTERM', () => {
  void (service?.hangUp() ?? Promise.resolve()).then(() => process.exit(0));
});
