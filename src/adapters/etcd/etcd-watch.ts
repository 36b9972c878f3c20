import type { IWatchResponse } from 'etcd3';
import type { EtcdConnection } from './etcd-connection.js';

/** The bytes that are watched, from a revision on. */
export interface WatchedRange {
  readonly start: Buffer;
  readonly end: Buffer;
  /** The first revision whose changes are told. */
  readonly revision: string;
}

/**
 * What `look` finds after each change of the range; changes that come while nobody waits are one. Ends when `signal`
 * fires, and throws when the stream breaks or the server gives the watch up (compacted, not allowed): whoever reads
 * begins again with a new look at the range.
 */
export async function* looksAfterChanges<T>(
  connection: EtcdConnection,
  range: WatchedRange,
  look: () => Promise<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const stream = await connection.watchStream(signal);
  let changed = false as boolean;
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    wake?.();
  };
  const end = (): void => wake?.();
  stream.on('data', (reply: IWatchResponse) => {
    if (reply.canceled) fail(new Error(reply.cancel_reason === '' ? 'the watch was given up' : reply.cancel_reason));
    if (reply.events.length > 0) changed = true;
    wake?.();
  });
  stream.on('error', fail);
  stream.on('end', () => fail(new Error('the stream ended')));
  signal.addEventListener('abort', end, { once: true });
  try {
    stream.write({ create_request: { key: range.start, range_end: range.end, start_revision: range.revision } });
    while (!signal.aborted) {
      if (changed) {
        changed = false;
        yield await look();
      } else if (failure !== undefined) {
        throw failure;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
    stream.cancel();
  }
}
