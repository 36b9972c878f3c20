import { agentUnreachable } from '../../../domain/error/errors.js';
import type { CliConfiguration, CliDependencies, ConfigRequest } from '../cli-dependencies.js';
import type { AgentClient } from './agent-client.js';
import { EmbeddedAgentClient } from './embedded-agent-client.js';
import { HttpAgentClient } from './http-agent-client.js';

export interface Connection extends AsyncDisposable {
  readonly client: AgentClient;
  readonly isEmbedded: boolean;
}

const LOOPBACK: Readonly<Record<string, string>> = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' };

/** The agent that runs on this host, or `undefined` if nothing listens at its address. */
async function findRunning(config: CliConfiguration, signal: AbortSignal): Promise<Connection | undefined> {
  const { host, port } = config.agentAddress;
  const token = await config.readToken();
  const client = new HttpAgentClient({ host: LOOPBACK[host] ?? host, port, token: token ?? '' });
  try {
    await client.status(signal);
  } catch (error) {
    client[Symbol.dispose]();
    if (isRefused(error)) return undefined;
    throw error;
  }
  return {
    client,
    isEmbedded: false,
    [Symbol.asyncDispose]: () => {
      client[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

/** The running agent; an AgentUnreachableError if there is none. */
export async function connectRunning(config: CliConfiguration, signal: AbortSignal): Promise<Connection> {
  const running = await findRunning(config, signal);
  if (running !== undefined) return running;
  const { host, port } = config.agentAddress;
  throw agentUnreachable(`no agent runs on this host (nothing listens at ${host}:${port})`, {
    hint: 'start one with "backend.ai ag start-server", or name its configuration with --config FILE',
  });
}

/** The running agent, else one inside this process for as long as the connection is kept. */
export async function connectOrEmbed(
  deps: CliDependencies,
  config: CliConfiguration,
  request: ConfigRequest,
  signal: AbortSignal,
): Promise<Connection> {
  const running = await findRunning(config, signal);
  if (running !== undefined) return running;
  const agent = await deps.setup.startEmbeddedAgent(request, signal);
  return {
    client: new EmbeddedAgentClient(agent.useCases),
    isEmbedded: true,
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}
