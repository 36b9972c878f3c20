import type { Logger } from '../application/ports/logger.port.js';
import { isAgentError, messageOf } from '../domain/error/agent-error.js';
import { type ClusterConfig, readClusterConfig } from './config/cluster-config.js';
import { readClusterHostFacts } from './config/host-facts.js';
import type { LoadedConfig } from './config/load-config.js';
import { agentIdOf } from './config/to-agent-settings.js';
import { connectConfigSource } from './connect-config-source.js';

/** The configuration as the daemon would have it now. Where etcd does not answer, without its values and with a warning. */
export async function loadWholeConfig(
  config: LoadedConfig,
  reload: (cluster: ClusterConfig) => LoadedConfig,
  signal: AbortSignal,
): Promise<LoadedConfig> {
  if (config.standalone) return config;
  using source = await connectConfigSource(
    config.values,
    agentIdOf(config, await readClusterHostFacts(config)),
    silent,
  );
  try {
    return reload(await readClusterConfig(source, signal));
  } catch (error) {
    if (!isAgentError(error) || !error.retryable) throw error;
    return { ...config, warnings: [...config.warnings, `values from etcd are missing here: ${messageOf(error)}`] };
  }
}

/** One look needs no log: what goes wrong is told by the warning. */
const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};
