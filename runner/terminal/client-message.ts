import type { TerminalSize } from '../process/terminal.js';
import { FROM_CLIENT } from './wire.js';

export type ClientMessage =
  | { readonly type: 'hello'; readonly size: TerminalSize; readonly session: string | undefined }
  | { readonly type: 'input'; readonly data: Buffer }
  | { readonly type: 'resize'; readonly size: TerminalSize }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' };

const MAX_SIDE = 1000;
const SESSION = /^[\w-]{8,64}$/;

/** What a client says; undefined for what is not understood, which is ignored as ttyd does. */
export function readClientMessage(message: Buffer): ClientMessage | undefined {
  switch (message.toString('latin1', 0, 1)) {
    case FROM_CLIENT.input:
      return { type: 'input', data: message.subarray(1) };
    case FROM_CLIENT.resize: {
      const size = readObject(message.subarray(1));
      return size && { type: 'resize', size: sizeOf(size) };
    }
    case FROM_CLIENT.pause:
      return { type: 'pause' };
    case FROM_CLIENT.resume:
      return { type: 'resume' };
    case FROM_CLIENT.hello: {
      const hello = readObject(message);
      if (!hello) return undefined;
      const { session } = hello;
      const isSession = typeof session === 'string' && SESSION.test(session);
      return { type: 'hello', size: sizeOf(hello), session: isSession ? session : undefined };
    }
    default:
      return undefined;
  }
}

function readObject(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const sizeOf = ({ columns, rows }: Record<string, unknown>): TerminalSize => ({
  cols: side(columns, 80),
  rows: side(rows, 24),
});

const side = (value: unknown, fallback: number): number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 2 ? Math.min(value, MAX_SIDE) : fallback;
