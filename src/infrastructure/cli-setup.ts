import { access } from 'node:fs/promises';
import { get } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type {
  CliConfiguration,
  CliSetup,
  ConfigRequest,
  KernelTrace,
  Leftover,
  QuickstartSetup,
} from '../adapters/cli/cli-dependencies.js';
import { DockerContainerEngine } from '../adapters/docker/docker-container-engine.adapter.js';
import { findDockerEndpoint } from '../adapters/docker/docker-endpoint.js';
import { TcpHostPorts } from '../adapters/host/tcp-host-ports.adapter.js';
import { createLogger, type LogLevel } from '../adapters/logging/pino-logger.adapter.js';
import type { Logger } from '../application/ports/logger.port.js';
import { LABELS } from '../domain/kernel/container-labels.js';
import { Agent } from './agent.js';
import { configSample } from './config/config-sample.js';
import { effectiveConfig } from './config/effective-config.js';
import { readHostFacts } from './config/host-facts.js';
import { loadConfig, type LoadedConfig } from './config/load-config.js';
import { toAgentSettings } from './config/to-agent-settings.js';
import { type DaemonSettings, toDaemonSettings } from './config/to-daemon-settings.js';
import { readToken } from './config/watcher-token.js';
import { ensureDefaultImage } from './default-image.js';
import { startEmbeddedAgent } from './embedded-agent.js';

const PAGE_DEADLINE_MS = 5_000;

const PINO_LEVEL: Readonly<Record<DaemonSettings['logging']['level'], LogLevel>> = {
  CRITICAL: 'error',
  ERROR: 'error',
  WARNING: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
  TRACE: 'debug',
  NOTSET: 'debug',
};

/** The command line's way to everything that is not its own. */
export function cliSetup(version: string): CliSetup {
  return {
    loadConfig: (request) => describe(load(request)),
    configSample,
    startServer: (request, signal) => startServer(load(request), version, signal),
    startEmbeddedAgent: (request, signal) => {
      const config = load(request);
      const { settings, daemon } = parts(config, version);
      const level = request.logLevel === undefined ? 'error' : PINO_LEVEL[daemon.logging.level];
      const logger = createLogger({ agentId: settings.agentId, level, destination: 'stderr' });
      return startEmbeddedAgent(settings, daemon, logger, signal);
    },
    ensureImage: async (onProgress, signal) => ensureDefaultImage(await connectEngine(), onProgress, signal),
  };
}

export function quickstartSetup(): QuickstartSetup {
  return {
    checkEngine: async (signal) => {
      const info = await (await connectEngine()).info({ signal });
      return `Docker ${info.version}, cgroup v${info.cgroupVersion}, ${info.cpus} cores`;
    },
    leftovers,
    fetchPage,
  };
}

function load(request: ConfigRequest): LoadedConfig {
  return loadConfig({ ...request, env: process.env, cwd: process.cwd(), home: homedir() });
}

function parts(config: LoadedConfig, version: string) {
  const host = readHostFacts();
  return { settings: toAgentSettings(config, host, version), daemon: toDaemonSettings(config, host) };
}

async function connectEngine(): Promise<DockerContainerEngine> {
  return new DockerContainerEngine({ endpoint: await findDockerEndpoint() });
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

async function startServer(config: LoadedConfig, version: string, signal: AbortSignal): Promise<number> {
  const { settings, daemon } = parts(config, version);
  const { level, format } = daemon.logging;
  const logger: Logger = createLogger({
    agentId: settings.agentId,
    level: PINO_LEVEL[level],
    destination: 'stderr',
    ...(format === 'auto' ? {} : { pretty: format !== 'json' }),
  });
  for (const warning of config.warnings) logger.warn(warning);
  await using agent = await Agent.start({ settings, daemon, logger, servers: true }, signal);
  await stopped(signal);
  logger.info('stopping; kernels go on', { kernels: agent.useCases.listKernels().length });
  return 0;
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** By node:http: fetch waits for its deadline when the engine's proxy closes a connection before the server listens. */
function fetchPage(url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, timeout: PAGE_DEADLINE_MS, agent: false }, (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject);
      else reject(new Error(`${url} answered ${response.statusCode ?? 'nothing'}`));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} did not answer in ${PAGE_DEADLINE_MS} ms`)));
    request.on('error', reject);
  });
}

/** Asks the engine, the network and the file system, not the agent's books. */
async function leftovers(trace: KernelTrace, signal: AbortSignal): Promise<readonly Leftover[]> {
  const engine = await connectEngine();
  const label = { [LABELS.kernelId]: trace.kernelId };
  const found: Leftover[] = [];
  const containers = await engine.listContainers(label, { signal });
  found.push(...containers.map(({ name }) => ({ kind: 'container' as const, what: name })));
  const networks = await engine.listNetworks(label, { signal });
  found.push(...networks.map(({ name }) => ({ kind: 'network' as const, what: name })));
  for (const port of trace.hostPorts) {
    const hold = await new TcpHostPorts().hold(port, '127.0.0.1');
    if (hold) await hold[Symbol.asyncDispose]();
    else found.push({ kind: 'port', what: String(port) });
  }
  const directory = join(toDaemonSettings(load({}), readHostFacts()).paths.scratchRoot, trace.kernelId);
  const exists = await access(directory).then(
    () => true,
    () => false,
  );
  if (exists) found.push({ kind: 'directory', what: directory });
  return found;
}
