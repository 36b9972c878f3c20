import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InstanceLock } from '../adapters/host/instance-lock.js';
import { HostScratchStore } from '../adapters/scratch/host-scratch-store.adapter.js';
import type { AgentSettings } from '../application/agent-settings.js';
import type { Logger } from '../application/ports/logger.port.js';
import type { UseCases } from '../application/use-cases.js';
import { messageOf } from '../domain/error/agent-error.js';
import { LABELS } from '../domain/kernel/container-labels.js';
import { Agent } from './agent.js';
import { connectEngine } from './connect-engine.js';
import type { DaemonSettings } from './config/to-daemon-settings.js';

/** State folders of embedded agents, named after their agent ids, below `var-base-path`. */
const FOLDER = 'embedded';
const DESTROY_DEADLINE_MS = 60_000;

/**
 * An agent inside this process, for the time of one command (ADR 4). It listens nowhere; disposing it destroys the
 * kernels that are still there.
 */
export async function startEmbeddedAgent(
  settings: AgentSettings,
  daemon: DaemonSettings,
  logger: Logger,
  signal: AbortSignal,
): Promise<{ readonly useCases: UseCases } & AsyncDisposable> {
  const folder = join(daemon.paths.varBase, FOLDER);
  await mkdir(folder, { recursive: true });
  await sweepDead(folder, daemon, logger, signal);
  const agentId = `${settings.agentId}-embedded-${process.pid}`;
  const state = join(folder, agentId);
  const agent = await Agent.start(
    {
      settings: { ...settings, agentId },
      // It is nobody's business in the cluster (ADR 4).
      daemon: { ...daemon, redis: null, paths: { ...daemon.paths, varBase: state } },
      logger,
      servers: false,
    },
    signal,
  ).catch(async (error: unknown) => {
    await rm(state, { recursive: true, force: true });
    throw error;
  });
  return {
    useCases: agent.useCases,
    [Symbol.asyncDispose]: async () => {
      const deadline = AbortSignal.timeout(DESTROY_DEADLINE_MS);
      const leaving = agent.useCases
        .listKernels()
        .map(({ kernelId }) =>
          agent.useCases.destroyKernel({ kernelId, reason: 'agent-termination', suppressEvents: false }, deadline),
        );
      await Promise.allSettled(leaving);
      const clean = agent.useCases.listKernels().length === 0;
      await agent[Symbol.asyncDispose]();
      // What could not be destroyed now, the next embedded agent finds by this folder.
      if (clean) await rm(state, { recursive: true, force: true });
    },
  };
}

/** Cleans up after embedded agents that were killed: their lock is free, so what carries their label is nobody's. */
async function sweepDead(folder: string, daemon: DaemonSettings, logger: Logger, signal: AbortSignal): Promise<void> {
  const agentIds = (await readdir(folder)).filter((name) => name.includes('-embedded-'));
  if (agentIds.length === 0) return;
  const engine = await connectEngine();
  for (const agentId of agentIds) {
    const state = join(folder, agentId);
    try {
      await using lock = await InstanceLock.acquire(state);
      const scratch = new HostScratchStore({ root: daemon.paths.scratchRoot, owner: agentId });
      for (const { id } of await engine.listContainers({ [LABELS.owner]: agentId }, { signal })) {
        await engine.removeContainer(id, { signal });
      }
      for (const kernelId of await scratch.list()) await scratch.remove(kernelId, { signal });
      await lock[Symbol.asyncDispose]();
      await rm(state, { recursive: true, force: true });
    } catch (error) {
      // Alive, or not to be cleaned now.
      logger.debug(`left ${agentId} alone: ${messageOf(error)}`);
    }
  }
}
