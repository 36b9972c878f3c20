import { z } from 'zod';
import type { PullRequest } from '../../../application/use-cases.js';
import { invalidArgument } from '../../../domain/error/errors.js';
import { kernelId, optional, orDefault, present, textOrEmpty } from './fields.js';
import { canonicalName, credentialsOf, imageConfig, type ImageConfig, imageRequestOf } from './image-config.js';
import { defineMethod, type RpcMethod } from './method.js';

/** Images of one call. */
const MAX_IMAGES = 1_024;
const MAX_LABELS = 1_024;

/** One component of a path: what is committed never leaves the commit folder. */
const folderName = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => text !== '.' && text !== '..' && !/[/\0]/.test(text), 'a file name without slashes');

const labels = z
  .record(z.string().max(1_024), z.string().max(65_536))
  .refine((map) => Object.keys(map).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`);

function pullRequest(config: ImageConfig): PullRequest {
  return {
    image: imageRequestOf(config),
    project: config.project ?? null,
    registryName: config.registry.name === '' ? null : config.registry.name,
  };
}

/** Images of this node (rpc.md §6.3, §6.4, §6.14). */
export const imageMethods: readonly RpcMethod[] = [
  defineMethod({
    name: 'check_pulling',
    required: ['image_name'],
    schema: z.object({ image_name: canonicalName }),
    handle: ({ image_name }, { useCases }) => useCases.images.isPulling(image_name),
  }),

  /** Answers with the keys it was asked with, and ids of 32 hex digits. */
  defineMethod({
    name: 'check_and_pull',
    required: ['image_configs'],
    cancellable: false,
    schema: z.object({ image_configs: z.record(canonicalName, imageConfig) }),
    handle: async ({ image_configs }, { useCases }) => {
      const asked = Object.entries(image_configs);
      if (asked.length > MAX_IMAGES) {
        const allowed = `at most ${MAX_IMAGES} images`;
        throw invalidArgument(`image_configs: must be ${allowed}`, { field: 'image_configs', allowed });
      }
      const tasks = await useCases.images.checkAndPull(asked.map(([, config]) => pullRequest(config)));
      return Object.fromEntries(
        asked.map(([key, { canonical }]) => [key, (tasks.get(canonical) ?? '').replaceAll('-', '')]),
      );
    },
  }),

  defineMethod({
    name: 'push_image',
    required: ['image_ref', 'registry_conf'],
    cancellable: false,
    schema: z.object({
      image_ref: imageConfig,
      registry_conf: orDefault(z.object({ username: textOrEmpty, password: textOrEmpty }), {
        username: '',
        password: '',
      }),
    }),
    handle: async ({ image_ref, registry_conf }, { useCases }) => {
      const { canonical, isLocal } = image_ref;
      const credentials = credentialsOf(registry_conf);
      const task = await useCases.images.push({ canonical, isLocal, ...present({ credentials }) });
      return { bgtask_id: task, canonical };
    },
  }),

  defineMethod({
    name: 'purge_images',
    required: ['image_canonicals', 'force', 'noprune'],
    cancellable: false,
    schema: z.object({
      image_canonicals: z.array(z.string().max(1_024)).max(MAX_IMAGES),
      force: z.boolean(),
      noprune: z.boolean(),
    }),
    handle: async ({ image_canonicals, force, noprune }, { useCases, signal }) => {
      const outcomes = await useCases.images.purge(image_canonicals, { force, noPrune: noprune }, signal);
      return { responses: outcomes.map(({ image, error }) => ({ image, error })) };
    },
  }),

  /** Keys of the labels may be enumeration members; the dialect has made them texts. */
  defineMethod({
    name: 'commit',
    required: ['kernel_id', 'subdir'],
    optional: ['canonical', 'filename', 'extra_labels'],
    cancellable: false,
    schema: z.object({
      kernel_id: kernelId,
      subdir: folderName,
      canonical: optional(canonicalName),
      filename: optional(folderName),
      extra_labels: orDefault(labels, {}),
    }),
    handle: async (args, { useCases }) => {
      if (args.canonical === undefined && args.filename === undefined) {
        const allowed = 'given when there is no filename';
        throw invalidArgument(`canonical: must be ${allowed}`, { field: 'canonical', allowed });
      }
      const { taskId, path } = await useCases.images.commit({
        kernelId: args.kernel_id,
        subfolder: args.subdir,
        canonical: args.canonical ?? null,
        filename: args.filename ?? null,
        labels: args.extra_labels,
      });
      return { bgtask_id: taskId, kernel: args.kernel_id, path };
    },
  }),

  defineMethod({
    name: 'get_commit_status',
    required: ['kernel_id', 'subdir'],
    schema: z.object({ kernel_id: kernelId, subdir: folderName }),
    handle: ({ kernel_id, subdir }, { useCases }) => ({
      kernel: kernel_id,
      status: useCases.images.commitStatus(kernel_id, subdir),
    }),
  }),
];
