import { z } from 'zod';
import { isAgentError, messageOf } from '../../../domain/error/agent-error.js';
import { invalidArgument } from '../../../domain/error/errors.js';
import { parseKernelId, parseSessionId } from '../../../domain/kernel/kernel-id.js';
import { normaliseReason } from '../../../domain/kernel/termination-reason.js';
import { EnumWord, ImageRef } from '../dialect/wire-values.js';
import { taskGroupFailed } from '../wire-errors.js';
import { freeMap, kernelId, optional, orDefault, sessionId } from './fields.js';
import { imageConfig } from './image-config.js';
import { readClusterInfo, readKernelConfig } from './kernel-creation-config.js';
import { creationResult, restartResult } from './kernel-result.js';
import { defineMethod, type RpcMethod } from './method.js';
import { anything, list, made, map, record, text } from './readers.js';

/** Kernels of one call; a session of that size on one node is a mistake. */
const MAX_KERNELS = 1_024;

const reason = z
  .union([z.string(), z.instanceof(EnumWord)], 'text or an enumeration member')
  .nullish()
  // Only a Manager that sends the enumeration knows the words that were added to it (rpc.md §6.6).
  .transform((value) => (value instanceof EnumWord ? normaliseReason(value.value, true) : normaliseReason(value)));

const sessionIdText = made(text(), (value) => parseSessionId(value));
const kernelIdTexts = list(
  made(text(), (value) => parseKernelId(value)),
  MAX_KERNELS,
);
const configs = list(anything, MAX_KERNELS);
const imageRefs = record<ImageRef>((value, at, problems) => {
  if (value instanceof ImageRef) return value;
  problems.push({ field: at, allowed: 'an ImageRef' });
  return undefined;
});

const creation = map((fields) => ({
  raw_session_id: fields.required('raw_session_id', sessionIdText),
  raw_kernel_ids: fields.required('raw_kernel_ids', kernelIdTexts),
  raw_configs: fields.required('raw_configs', configs),
  raw_cluster_info: fields.optional('raw_cluster_info', anything),
  kernel_image_refs: fields.optional('kernel_image_refs', imageRefs) ?? {},
}));

/** What failed in words; several failures become one that lists them all (rpc.md §6.5.7). */
function failureOfMany(ids: readonly string[], outcomes: readonly PromiseSettledResult<unknown>[]): unknown {
  const failed = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ id: ids[index] ?? '', error: outcome.reason as unknown }] : [],
  );
  if (failed.length === 1) return failed[0]?.error;
  const told = failed.map(({ id, error }) =>
    isAgentError(error) ? `${id}: ${error.name}: ${messageOf(error)}` : `${id}: unexpected error`,
  );
  return taskGroupFailed(
    `create_kernels() failed for ${failed.length} of ${ids.length} kernels; ${told.join('; ')}`,
    failed.map(({ error }) => error),
  );
}

/** The life of kernels. */
export const kernelMethods: readonly RpcMethod[] = [
  /**
   * rpc.md §6.5. All configs are read before the first kernel is begun; the answer waits for every attempt. A CANCEL
   * doesn't undo it: a Manager worker that restarts cancels its waits, and another goes on by the kernels' events.
   */
  defineMethod({
    name: 'create_kernels',
    required: ['raw_session_id', 'raw_kernel_ids', 'raw_configs', 'raw_cluster_info', 'kernel_image_refs'],
    cancellable: false,
    schema: creation,
    handle: async (args, context) => {
      const ids = args.raw_kernel_ids;
      if (ids.length !== args.raw_configs.length || new Set(ids).size !== ids.length) {
        const allowed = 'distinct ids, as many as raw_configs';
        throw invalidArgument(`raw_kernel_ids: must be ${allowed}`, { field: 'raw_kernel_ids', allowed });
      }
      const cluster = readClusterInfo(args.raw_cluster_info);
      const specs = args.raw_configs.map((config, index) => {
        const id = ids[index];
        const imageRef = id === undefined ? undefined : args.kernel_image_refs[id];
        return readKernelConfig(
          config,
          { kernelId: id, sessionId: args.raw_session_id, cluster, imageRef },
          `raw_configs[${index}]`,
        );
      });
      const { useCases, signal } = context;
      const outcomes = await Promise.allSettled(specs.map(async (spec) => useCases.createKernel(spec, signal)));
      const created = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      if (created.length < outcomes.length) throw failureOfMany(ids, outcomes);
      return created.map(creationResult);
    },
  }),

  /**
   * Ours, for hand-written clients: one kernel, by its config alone; `session_id` defaults to the kernel's id. Who
   * cancels it has no kernel.
   */
  defineMethod({
    name: 'create_kernel',
    required: ['config'],
    optional: ['cluster_info'],
    schema: z.object({ config: z.unknown(), cluster_info: z.unknown().optional() }),
    handle: async ({ config, cluster_info }, { useCases, signal }) => {
      const spec = readKernelConfig(config, { cluster: readClusterInfo(cluster_info) }, 'config');
      return creationResult(await useCases.createKernel(spec, signal));
    },
  }),

  /** rpc.md §6.6: answers nil when nothing is left of the kernel. */
  defineMethod({
    name: 'destroy_kernel',
    required: ['kernel_id', 'session_id'],
    optional: ['reason', 'suppress_events'],
    cancellable: false,
    schema: z.object({
      kernel_id: kernelId,
      session_id: sessionId,
      reason,
      suppress_events: orDefault(z.boolean(), false),
    }),
    handle: async (args, { useCases, signal }) => {
      await useCases.destroyKernel(
        {
          kernelId: args.kernel_id,
          sessionId: args.session_id,
          reason: args.reason,
          suppressEvents: args.suppress_events,
        },
        signal,
      );
      return null;
    },
  }),

  /**
   * rpc.md §6.7: session first. A kernel restarts with what it was made with: of the image only the kind is looked at,
   * and the map of changes, which Managers leave empty, has to be empty.
   */
  defineMethod({
    name: 'restart_kernel',
    required: ['session_id', 'kernel_id'],
    optional: ['kernel_image', 'updated_config'],
    cancellable: false,
    schema: z.object({
      session_id: sessionId,
      kernel_id: kernelId,
      kernel_image: optional(imageConfig),
      updated_config: freeMap.refine((map) => Object.keys(map).length === 0, 'an empty map'),
    }),
    handle: async ({ kernel_id }, { useCases, signal }) =>
      restartResult(await useCases.restartKernel(kernel_id, signal)),
  }),
];
