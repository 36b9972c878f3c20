import { z } from 'zod';
import { optional, orDefault, kernelId, present } from './fields.js';
import { defineMethod, type RpcMethod } from './method.js';

const environment = z.record(
  z.string(),
  z.preprocess(
    (value) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value),
    z.string(),
  ),
);

const serviceOptions = orDefault(
  z.object({ arguments: optional(z.record(z.string(), z.unknown())), envs: optional(environment) }),
  { arguments: undefined, envs: undefined },
);

/** Services of kernels. */
export const serviceMethods: readonly RpcMethod[] = [
  /** rpc.md §6.12: the Manager subscripts `error` of a failure, so it is never left out. */
  defineMethod({
    name: 'start_service',
    required: ['kernel_id', 'service', 'opts'],
    schema: z.object({ kernel_id: kernelId, service: z.string().min(1).max(256), opts: serviceOptions }),
    handle: async ({ kernel_id, service, opts }, { useCases, signal }) => {
      const result = await useCases.startService(kernel_id, service, present(opts), signal);
      return result.status === 'failed'
        ? { status: 'failed', error: result.error ?? 'the service did not start' }
        : { status: result.status };
    },
  }),

  /** rpc.md §6.12: nothing to stop is a success, also of a kernel that isn't there. */
  defineMethod({
    name: 'shutdown_service',
    required: ['kernel_id', 'service'],
    schema: z.object({ kernel_id: kernelId, service: z.string().max(256) }),
    handle: async ({ kernel_id, service }, { useCases, signal }) => {
      await useCases.kernelCare.shutdownService(kernel_id, service, signal);
      return null;
    },
  }),
];
