import { z } from 'zod';
import type { AutoPull, ImageRequest } from '../../../domain/kernel/kernel-spec.js';
import { ImageRef } from '../dialect/wire-values.js';
import { present } from './fields.js';
import { asSchema, changed, flag, map, text, textMap, word } from './readers.js';

/** How an image is told on the wire: an ImageConfig map (rpc.md §6.4), an ImageRef (ext 7), or its bare name. */

const MAX_NAME = 1_024;

export const autoPull = word(['digest', 'tag', 'none']);

export const canonicalName = z.string().min(1).max(MAX_NAME);

export interface ImageConfig {
  readonly canonical: string;
  readonly project?: string | undefined;
  readonly digest: string;
  readonly architecture: string;
  readonly registry: { readonly name: string; readonly username: string; readonly password: string };
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly isLocal: boolean;
  readonly autoPull?: AutoPull | undefined;
}

const anyText = text();
const imageName = text(1, MAX_NAME);
const projectName = text(0, MAX_NAME);

const registry = map((fields) => ({
  name: fields.optional('name', anyText) ?? '',
  username: fields.optional('username', anyText) ?? '',
  password: fields.optional('password', anyText) ?? '',
}));

export const readImageConfig = changed(
  mapOfImage,
  map((fields): ImageConfig => ({
    canonical: fields.required('canonical', imageName),
    project: fields.optional('project', projectName),
    digest: fields.optional('digest', anyText) ?? '',
    architecture: fields.optional('architecture', anyText) ?? '',
    registry: fields.optional('registry', registry) ?? { name: '', username: '', password: '' },
    labels: fields.optional('labels', textMap),
    isLocal: fields.optional('is_local', flag) ?? false,
    autoPull: fields.optional('auto_pull', autoPull),
  })),
);

export const imageConfig = asSchema(readImageConfig);

/** @param policy overrules the one in the config. */
export function imageRequestOf(config: ImageConfig, policy?: AutoPull): ImageRequest {
  return {
    canonical: config.canonical,
    isLocal: config.isLocal,
    autoPull: policy ?? config.autoPull ?? 'digest',
    ...present({
      digest: config.digest || undefined,
      architecture: config.architecture || undefined,
      credentials: credentialsOf(config.registry),
      labels: config.labels,
    }),
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

function mapOfImage(value: unknown): unknown {
  if (typeof value === 'string') return { canonical: value };
  if (!(value instanceof ImageRef)) return value;
  return {
    canonical: value.canonical,
    project: value.project,
    registry: { name: value.registry },
    architecture: value.architecture,
    is_local: value.isLocal,
  };
}
