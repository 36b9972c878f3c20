import type { KernelView } from '../../../application/use-cases.js';
import { kernelNotFound } from '../../../domain/error/errors.js';
import type { KernelId } from '../../../domain/kernel/kernel-id.js';
import type { AgentClient } from '../client/agent-client.js';
import { usageError } from '../exit-status.js';

const ALLOWED = 'the id of a kernel, or the beginning of one that no other has';

/** The kernels that were meant: ids may be cut to a unique beginning. */
export async function resolveKernels(
  texts: readonly string[],
  client: AgentClient,
  signal: AbortSignal,
): Promise<readonly KernelId[]> {
  for (const text of texts)
    if (!/^[0-9a-f][0-9a-f-]{0,35}$/i.test(text))
      throw usageError('KERNEL', `'${text.slice(0, 64)}' is no kernel id`, ALLOWED);
  const kernels = await client.listKernels(signal);
  return texts.map((text) => resolve(text, kernels));
}

export async function resolveKernel(text: string, client: AgentClient, signal: AbortSignal): Promise<KernelId> {
  const [kernelId] = await resolveKernels([text], client, signal);
  if (kernelId === undefined) throw kernelNotFound(`there is no kernel '${text}'`);
  return kernelId;
}

function resolve(text: string, kernels: readonly KernelView[]): KernelId {
  const plain = (id: string): string => id.replaceAll('-', '').toLowerCase();
  const found = kernels.filter(({ kernelId }) => plain(kernelId).startsWith(plain(text)));
  if (found.length === 1 && found[0] !== undefined) return found[0].kernelId;
  if (found.length > 1) {
    const ids = found.slice(0, 5).map(({ kernelId }) => kernelId);
    throw usageError('KERNEL', `'${text}' begins ${found.length} kernel ids: ${ids.join(', ')}`, ALLOWED);
  }
  throw kernelNotFound(`there is no kernel '${text}'`, {
    field: 'KERNEL',
    allowed: ALLOWED,
    hint: '"backend.ai ag kernels" lists them',
  });
}
