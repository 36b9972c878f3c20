import { awaitManager } from '../application/agent/await-manager.js';
import type { Clock } from '../application/ports/clock.port.js';
import type { ConfigSource } from '../application/ports/config-source.port.js';
import type { Logger } from '../application/ports/logger.port.js';
import { isAgentError, messageOf } from '../domain/error/agent-error.js';
import { type ClusterConfig, readClusterConfig } from './config/cluster-config.js';
import type { LoadedConfig } from './config/load-config.js';

const RETRY_MS = 1_000;
const REMIND_MS = 30_000;

/**
 * The configuration with what etcd says, once etcd answers and, unless that is switched off, a Manager is there. Waits
 * for both as long as it takes, says so now and then, and rejects at once when `signal` fires. `own` is what file and
 * environment say.
 */
export async function joinCluster(
  source: ConfigSource,
  own: LoadedConfig,
  reload: (cluster: ClusterConfig) => LoadedConfig,
  tools: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<LoadedConfig> {
  await whenReachable((one) => source.probe(one), tools, signal);
  if (!own.values.agent['skip-manager-detection']) await awaitManager(source, tools, signal);
  // Only now: a Manager that was set up meanwhile has written what we need.
  return reload(await whenReachable((one) => readClusterConfig(source, one), tools, signal));
}

async function whenReachable<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<T> {
  let told: number | undefined;
  for (;;) {
    try {
      const answer = await ask(signal);
      if (told !== undefined) logger.info('etcd is there');
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!isAgentError(error) || !error.retryable) throw error;
      if (told === undefined || clock.monotonic() - told >= REMIND_MS) {
        logger.warn('waiting for etcd', { error: messageOf(error) });
        told = clock.monotonic();
      }
    }
    await clock.sleep(RETRY_MS, signal);
  }
}
