import type { Clock } from '../ports/clock.port.js';
import type { ConfigSource } from '../ports/config-source.port.js';
import type { Logger } from '../ports/logger.port.js';
import { configSourceFailure } from '../../domain/error/errors.js';

/** Where Managers say that they are there (state.md §5.3). */
const MANAGERS = 'nodes/manager';

const REMIND_MS = 60_000;

/** Resolves when a Manager is registered; says now and then that it waits. Rejects when `signal` fires. */
export async function awaitManager(
  source: ConfigSource,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const done = new AbortController();
  const both = AbortSignal.any([signal, done.signal]);
  let waited = false;
  const remind = async (): Promise<void> => {
    while (!both.aborted) {
      logger.info('waiting for a Manager', { hint: 'agent.skip-manager-detection = true starts without one' });
      await clock.sleep(REMIND_MS, both).catch(() => undefined);
    }
  };
  try {
    for await (const managers of source.watch(MANAGERS, both)) {
      if (managers.length > 0) {
        logger.info('found a Manager', { managers: managers.map(({ path }) => path.join('/')).slice(0, 10) });
        return;
      }
      if (!waited) void remind();
      waited = true;
    }
    signal.throwIfAborted();
  } finally {
    done.abort();
  }
}

/** Rejects while none is registered. */
export async function findManager(source: ConfigSource, signal: AbortSignal): Promise<void> {
  const managers = await source.getEntries(MANAGERS, signal);
  if (managers.length === 0) throw configSourceFailure('no Manager is registered in etcd', { retryable: true });
}
