import { bundleFrame } from '../display.js';
import type { Frame } from '../../wire/frames.js';
import type { RunSink } from '../query-engine.js';
import type { ReceivedMessage } from './jupyter-client.js';

/** The agent cuts stdout and stderr messages above 10 MiB (krunner.md §2.6). */
const MAX_TEXT = 1 << 20;
/** How long the idle message may be behind the reply before it counts as lost. */
const LOST_IDLE_MS = 10_000;

/** One execute request: turns its messages into frames until the kernel is idle again (krunner.md §4.2). */
export class JupyterRun {
  readonly finished: Promise<number>;
  /** True once the kernel has begun with the code. */
  started = false;
  private resolve: (exitCode: number) => void = () => undefined;
  private exitCode = 0;
  private result: Frame | undefined;

  constructor(
    private readonly id: string,
    private readonly sink: RunSink,
    private readonly answer: (question: ReceivedMessage, value: string) => void,
  ) {
    this.finished = new Promise((resolve) => (this.resolve = resolve));
  }

  receive(message: ReceivedMessage): void {
    if (message.parentId !== this.id) return;
    this.started = true;
    const { type, content, channel } = message;
    if (channel === 'shell') {
      setTimeout(() => this.resolve(this.exitCode), LOST_IDLE_MS).unref();
    } else if (type === 'status') {
      if (content['execution_state'] === 'idle') this.resolve(this.exitCode);
    } else if (typeof content['oversize'] === 'number') {
      this.text('stderr', `One piece of output of ${content['oversize']} bytes was too large and is left out.\n`);
    } else if (type === 'stream') {
      this.text(
        content['name'] === 'stderr' ? 'stderr' : 'stdout',
        typeof content['text'] === 'string' ? content['text'] : '',
      );
    } else if (type === 'error') {
      this.error(content);
    } else if (type === 'execute_result' || type === 'display_data') {
      const bundle = content['data'];
      const frame =
        typeof bundle === 'object' && bundle !== null ? bundleFrame(bundle as Record<string, unknown>) : undefined;
      if (type === 'execute_result') this.tellResult();
      if (frame && type === 'execute_result') this.result = frame;
      else if (frame) this.sink.frame(frame);
    } else if (type === 'input_request') {
      void this.ask(message);
    }
  }

  /**
   * Sends the value of the last expression, which is held back until all output is there: what programs wrote before it
   * may come after it.
   */
  tellResult(): void {
    if (this.result) this.sink.frame(this.result);
    this.result = undefined;
  }

  private error(content: Readonly<Record<string, unknown>>): void {
    const lines = Array.isArray(content['traceback']) ? (content['traceback'] as unknown[]) : [];
    this.text('stderr', lines.filter((line) => typeof line === 'string').join('\n'));
    this.exitCode = content['ename'] === 'SystemExit' ? systemExitCode(content['evalue']) : 1;
  }

  private async ask(question: ReceivedMessage): Promise<void> {
    const prompt = question.content['prompt'];
    if (typeof prompt === 'string') this.text('stdout', prompt);
    const value = await this.sink.ask(question.content['password'] === true);
    this.answer(question, value);
  }

  private text(kind: 'stdout' | 'stderr', text: string): void {
    for (let at = 0; at < text.length;) {
      let end = Math.min(at + MAX_TEXT, text.length);
      // Not between the halves of a surrogate pair.
      if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1;
      this.sink.frame({ kind, payload: text.slice(at, end) });
      at = end;
    }
  }
}

/** `sys.exit()` = 0, `sys.exit(3)` = 3, anything that is not a number = 1. */
export function systemExitCode(value: unknown): number {
  const text = typeof value === 'string' ? value.trim() : '';
  if (text === '' || text === 'None') return 0;
  return /^-?\d{1,9}$/.test(text) ? Number(text) : 1;
}
