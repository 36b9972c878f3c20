import { parseMessage } from '../../../src/adapters/rpc/callosum/frames.js';
import { decodeDocument, encodeDocument } from '../../../src/adapters/rpc/dialect/document-codec.js';
import { readPickle } from '../../../src/adapters/rpc/dialect/pickle-reader.js';
import { isAgentError } from '../../../src/domain/error/agent-error.js';
import type { Random } from '../random.js';
import { value } from './documents.js';
import { message } from './frames.js';
import { pickle } from './pickles.js';

const MAX_BODY = 64 * 1024 * 1024;

/** Runs `read`; anything but a user's AgentError is a fault. */
function read(what: string, input: Uint8Array, decode: (bytes: Uint8Array) => unknown): boolean {
  try {
    decode(input);
    return true;
  } catch (error) {
    if (isAgentError(error) && ['ValueError', 'EncodeError'].includes(error.name)) return false;
    throw new Error(`${what} of ${Buffer.from(input).toString('hex').slice(0, 4_000)}: ${String(error)}`, {
      cause: error,
    });
  }
}

/**
 * The readers without a socket between.
 *
 * @returns how many inputs were sound.
 */
export function tryDecoders(random: Random, count: number): number {
  let sound = 0;
  for (let i = 0; i < count; i += 1) {
    const roll = i % 3;
    if (roll === 0) {
      // What can be read can be told again, or we say that it can't.
      if (read('document', value(random), (bytes) => encodeDocument(decodeDocument(bytes)))) sound += 1;
    } else if (roll === 1) {
      if (read('pickle', pickle(random), readPickle)) sound += 1;
    } else {
      const { kind } = parseMessage([Buffer.of(0, 1, 2, 3, 4), ...message(random, i)], MAX_BODY);
      if (kind !== 'ignored') sound += 1;
    }
  }
  return sound;
}
