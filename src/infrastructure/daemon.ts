import { setMaxListeners } from 'node:events';
import { SystemClock } from '../adapters/host/system-clock.adapter.js';
import type { AgentSettings } from '../application/agent-settings.js';
import type { ConfigSource } from '../application/ports/config-source.port.js';
import type { Logger } from '../application/ports/logger.port.js';
import { Agent } from './agent.js';
import type { ClusterConfig } from './config/cluster-config.js';
import type { LoadedConfig } from './config/load-config.js';
import type { DaemonSettings } from './config/to-daemon-settings.js';
import { connectConfigSource } from './connect-config-source.js';
import { joinCluster } from './join-cluster.js';

export interface DaemonOptions {
  readonly agentId: string;
  readonly logger: Logger;
  /** What file and environment say. */
  readonly config: LoadedConfig;
  /** The same again, with what etcd says. */
  reload(cluster: ClusterConfig): LoadedConfig;
  settingsOf(config: LoadedConfig): { readonly settings: AgentSettings; readonly daemon: DaemonSettings };
}

/** Whatever hangs, the agent is gone by then; what it leaves half done, the next start finishes. */
const STOP_MS = 2_500;

/** Runs the agent until `signal` fires; resolves with the exit status. The kernels go on without it. */
export async function runDaemon(options: DaemonOptions, signal: AbortSignal): Promise<number> {
  const { logger, config } = options;
  // All that the start waits for listens to it: more at once than Node takes for healthy.
  setMaxListeners(0, signal);
  using source = config.standalone ? null : await connectConfigSource(config.values, options.agentId, logger);
  let agent: Agent;
  try {
    agent = await startAgent(options, source, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    logger.info('stopped before it was ready');
    return 0;
  }
  await stopped(signal);
  logger.info('stopping; kernels go on', { kernels: agent.useCases.listKernels().length });
  await stop(agent, logger);
  return 0;
}

async function startAgent(options: DaemonOptions, source: ConfigSource | null, signal: AbortSignal): Promise<Agent> {
  const { logger, config } = options;
  const tools = { clock: new SystemClock(), logger };
  const warn = ({ warnings }: LoadedConfig): void => warnings.forEach((warning) => logger.warn(warning));
  if (source === null) {
    warn(config);
    return Agent.start({ ...options.settingsOf(config), logger, servers: true }, signal);
  }
  const joined = await joinCluster(source, config, (cluster) => options.reload(cluster), tools, signal);
  // Of the whole, once: what etcd says may make a warning of the file void.
  warn(joined);
  return Agent.start({ ...options.settingsOf(joined), logger, configSource: source, servers: true }, signal);
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function stop(agent: Agent, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const impatience = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), STOP_MS);
  });
  const isClean = await Promise.race([agent[Symbol.asyncDispose]().then(() => true), impatience]);
  clearTimeout(timer);
  if (isClean) logger.info('stopped');
  else logger.warn('stopped with work in hand; the next start finishes it');
}
