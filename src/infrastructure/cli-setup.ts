import { homedir } from 'node:os';
import type { CliConfiguration, CliSetup, ConfigRequest, QuickstartSetup } from '../adapters/cli/cli-dependencies.js';
import { PidFile } from '../adapters/host/pid-file.js';
import { createLogger, type LogLevel } from '../adapters/logging/pino-logger.adapter.js';
import type { Logger } from '../application/ports/logger.port.js';
import type { ClusterConfig } from './config/cluster-config.js';
import { configSample } from './config/config-sample.js';
import { effectiveConfig } from './config/effective-config.js';
import { type HostFacts, readClusterHostFacts, readHostFacts } from './config/host-facts.js';
import { loadConfig, type LoadedConfig } from './config/load-config.js';
import { agentIdOf, toAgentSettings } from './config/to-agent-settings.js';
import { type DaemonSettings, toDaemonSettings } from './config/to-daemon-settings.js';
import { readToken } from './config/watcher-token.js';

const PINO_LEVEL: Readonly<Record<DaemonSettings['logging']['level'], LogLevel>> = {
  CRITICAL: 'error',
  ERROR: 'error',
  WARNING: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
  TRACE: 'debug',
  NOTSET: 'debug',
};

/**
 * The command line's way to everything that is not its own. What makes an agent or talks to the engine is imported by
 * the commands that need it: most don't, and reading it takes longer than all else they do.
 */
export function cliSetup(version: string): CliSetup {
  return {
    loadConfig: (request) => describe(load(request)),
    loadWholeConfig: async (request, signal) => {
      const { loadWholeConfig } = await import('./whole-config.js');
      return describe(await loadWholeConfig(load(request), (cluster) => load(request, cluster), signal));
    },
    configSample,
    startServer: async (request, signal) => {
      const { runDaemon } = await import('./daemon.js');
      const config = load(request);
      const host = await readClusterHostFacts(config);
      const agentId = agentIdOf(config, host);
      const { logging, pidFile } = toDaemonSettings(config, host);
      const logger = daemonLogger(logging, agentId);
      if (host.cloud?.problem !== undefined)
        logger.warn('the cloud does not say who this machine is', { error: host.cloud.problem, agent_id: agentId });
      const pid = pidFile === null ? undefined : new PidFile(pidFile);
      try {
        return await runDaemon(
          {
            ...{ agentId, logger, config },
            reload: (cluster) => load(request, cluster),
            // Read again: while etcd was waited for, this machine may have got its addresses.
            settingsOf: (whole) => parts(whole, { ...readHostFacts(), cloud: host.cloud }, version),
          },
          signal,
        );
      } finally {
        pid?.[Symbol.dispose]();
      }
    },
    startEmbeddedAgent: async (request, signal) => {
      const { startEmbeddedAgent } = await import('./embedded-agent.js');
      const config = load(request);
      const { settings, daemon } = parts(config, readHostFacts(), version);
      const level = request.logLevel === undefined ? 'error' : PINO_LEVEL[daemon.logging.level];
      const logger = createLogger({ agentId: settings.agentId, level, console: {} });
      return startEmbeddedAgent(settings, daemon, logger, signal);
    },
    ensureImage: async (onProgress, signal) => {
      const { ensureDefaultImage } = await import('./default-image.js');
      return ensureDefaultImage(onProgress, signal);
    },
  };
}

export function quickstartSetup(): QuickstartSetup {
  const checks = () => import('./quickstart-checks.js');
  return {
    checkEngine: async (signal) => (await checks()).checkEngine(signal),
    leftovers: async (trace, request, signal) => {
      const { paths } = toDaemonSettings(load(request), readHostFacts());
      return (await checks()).leftovers(trace, paths.scratchRoot, signal);
    },
    fetchPage: async (url, signal) => (await checks()).fetchPage(url, signal),
  };
}

function load(request: ConfigRequest, cluster?: ClusterConfig): LoadedConfig {
  const given = { ...request, ...(cluster === undefined ? {} : { cluster }) };
  return loadConfig({ ...given, env: process.env, cwd: process.cwd(), home: homedir() });
}

function parts(config: LoadedConfig, host: HostFacts, version: string) {
  return { settings: toAgentSettings(config, host, version), daemon: toDaemonSettings(config, host) };
}

function daemonLogger({ level, console, file }: DaemonSettings['logging'], agentId: string): Logger {
  return createLogger({
    agentId,
    level: PINO_LEVEL[level],
    ...(console === null
      ? {}
      : {
          console: {
            ...(console.format === 'auto' ? {} : { pretty: console.format !== 'json' }),
            ...(console.colored === null ? {} : { colored: console.colored }),
          },
        }),
    ...(file === null ? {} : { file }),
  });
}

function describe(config: LoadedConfig): CliConfiguration {
  const { http } = toDaemonSettings(config, readHostFacts());
  const [address] = http.listen;
  return {
    file: config.file,
    warnings: config.warnings,
    agentAddress: address ?? { host: '127.0.0.1', port: 6009 },
    readToken: () => readToken(http),
    effective: () => effectiveConfig(config),
  };
}
