import { z } from 'zod';
import type { ImageRequest } from '../../../domain/kernel/kernel-spec.js';
import { ImageRef } from '../dialect/wire-values.js';
import { present, text, textMap, wireMap, word } from './fields.js';

/** How an image is told on the wire: an ImageConfig map (rpc.md §6.4), an ImageRef (ext 7), or its bare name. */

export const autoPull = word(['digest', 'tag', 'none']);

export const canonicalName = z.string().min(1).max(1_024);

const registry = wireMap({ name: text, username: text, password: text });

export const imageConfig = z.preprocess(
  (value) => {
    if (typeof value === 'string') return { canonical: value };
    return value instanceof ImageRef ? imageOfRef(value) : value;
  },
  wireMap({
    canonical: canonicalName,
    project: z.string().max(1_024).optional(),
    digest: text,
    architecture: text,
    registry: registry.default({ name: '', username: '', password: '' }),
    labels: textMap.optional(),
    is_local: z.boolean().default(false),
    auto_pull: autoPull.optional(),
  }),
);

export type ImageConfig = z.infer<typeof imageConfig>;

/** @param policy overrules the one in the config. */
export function imageRequestOf(config: ImageConfig, policy?: ImageRequest['autoPull']): ImageRequest {
  return {
    canonical: config.canonical,
    ...present({
      digest: config.digest || undefined,
      architecture: config.architecture || undefined,
      credentials: credentialsOf(config.registry),
      labels: config.labels,
    }),
    isLocal: config.is_local,
    autoPull: policy ?? config.auto_pull ?? 'digest',
  };
}

/** The registry's login, if there is all of one (rpc.md §6.4). */
export function credentialsOf({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): ImageRequest['credentials'] {
  return username !== '' && password !== '' ? { username, password } : undefined;
}

export function imageOfRef(ref: ImageRef): Record<string, unknown> {
  return {
    canonical: ref.canonical,
    project: ref.project,
    registry: { name: ref.registry },
    architecture: ref.architecture,
    is_local: ref.isLocal,
  };
}
