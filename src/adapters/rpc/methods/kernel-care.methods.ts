import { z } from 'zod';
import { kernelId, sessionId } from './fields.js';
import { defineMethod, type RpcMethod } from './method.js';

/** Kernels that a Manager lists at once: more than a node can hold. */
const MAX_LISTED = 65_536;
/** A batch job may take a year. */
const MAX_TIMEOUT_SECONDS = 366 * 86_400;

const byKernel = z.object({ kernel_id: kernelId });

/** What becomes of kernels (rpc.md §6.3, §6.8, §6.10). */
export const kernelCareMethods: readonly RpcMethod[] = [
  defineMethod({
    name: 'ping_kernel',
    required: ['kernel_id'],
    schema: byKernel,
    handle: async ({ kernel_id }, { useCases, signal }) => {
      const answer = await useCases.kernelCare.ping(kernel_id, signal);
      return answer === null ? null : { started_at: answer.startedAt };
    },
  }),

  defineMethod({
    name: 'check_creating',
    required: ['kernel_id'],
    schema: byKernel,
    handle: ({ kernel_id }, { useCases }) => useCases.kernelCare.isCreating(kernel_id),
  }),

  /** The Manager ends a kernel on a literal false: as long as we don't know, this is a FAILURE. */
  defineMethod({
    name: 'check_running',
    required: ['kernel_id'],
    schema: byKernel,
    handle: ({ kernel_id }, { useCases }) => useCases.kernelCare.isRunning(kernel_id),
  }),

  defineMethod({
    name: 'sync_kernel_registry',
    required: ['raw_kernel_session_ids'],
    cancellable: false,
    schema: z.object({ raw_kernel_session_ids: z.array(z.tuple([kernelId, sessionId])).max(MAX_LISTED) }),
    handle: async ({ raw_kernel_session_ids }, { useCases }) => {
      await useCases.kernelCare.syncRegistry(
        raw_kernel_session_ids.map(([kernel, session]) => ({ kernelId: kernel, sessionId: session })),
      );
      return null;
    },
  }),

  /** Session first; early 26.x calls the last argument `timeout`. */
  defineMethod({
    name: 'trigger_batch_execution',
    required: ['session_id', 'kernel_id', 'code', 'timeout_seconds'],
    aliases: { timeout: 'timeout_seconds' },
    cancellable: false,
    schema: z.object({
      session_id: sessionId,
      kernel_id: kernelId,
      code: z.string(),
      timeout_seconds: z.number().min(0).max(MAX_TIMEOUT_SECONDS).nullable(),
    }),
    handle: async (args, { useCases, signal }) => {
      await useCases.kernelCare.triggerBatch(
        {
          kernelId: args.kernel_id,
          sessionId: args.session_id,
          code: args.code,
          timeoutMs: args.timeout_seconds === null ? null : Math.round(args.timeout_seconds * 1_000),
        },
        signal,
      );
      return null;
    },
  }),
];
