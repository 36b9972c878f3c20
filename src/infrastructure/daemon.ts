import type { Logger } from '../application/ports/logger.port.js';
import { Agent, type AgentOptions } from './agent.js';

export interface DaemonOptions extends Omit<AgentOptions, 'servers'> {
  /** What is odd about the configuration. */
  readonly warnings: readonly string[];
}

/** Whatever hangs, the agent is gone by then; what it leaves half done, the next start finishes. */
const STOP_MS = 2_500;

/** Runs the agent until `signal` fires; resolves with the exit status. The kernels go on without it. */
export async function runDaemon({ warnings, ...options }: DaemonOptions, signal: AbortSignal): Promise<number> {
  const { logger } = options;
  for (const warning of warnings) logger.warn(warning);
  let agent: Agent;
  try {
    agent = await Agent.start({ ...options, servers: true }, signal);
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
