import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../../domain/kernel/kernel-spec.js';
import type { AgentClient, StartedKernel } from '../client/agent-client.js';
import type { Progress } from '../terminal/progress.js';

/** Time to destroy what a command made, whatever ended the command. */
const DESTROY_MS = 120_000;

/** Creates a kernel and tells the stages as the agent announces them. */
export async function createWithProgress(
  client: AgentClient,
  spec: KernelSpec,
  progress: Progress,
  signal: AbortSignal,
): Promise<StartedKernel> {
  const watching = new AbortController();
  return await progress.step(
    'kernel',
    async (update) => {
      const watch = tellStages(client, spec.kernelId, update, watching.signal).catch(() => undefined);
      try {
        return await client.createKernel(spec, signal);
      } finally {
        watching.abort();
        await watch;
      }
    },
    (kernel) => `${kernel.kernelId} from ${spec.image.canonical}`,
  );
}

async function tellStages(
  client: AgentClient,
  kernelId: KernelId,
  update: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of client.events({ follow: true, kernelId }, signal)) {
    if (event.name !== 'kernel_stage') continue;
    const { stage, message } = event.body;
    update([stage, message].filter((part) => typeof part === 'string' && part !== '').join(' '));
  }
}

/** Destroys a kernel at the end of a command, also of an interrupted one; one that is gone already is a success. */
export async function destroyAtTheEnd(client: AgentClient, kernelId: KernelId): Promise<void> {
  try {
    await client.destroyKernel(kernelId, AbortSignal.timeout(DESTROY_MS));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'KernelNotFoundError') throw error;
  }
}
