import { z } from 'zod';
import type { Model, ModelDefinition, ModelService } from '../../../domain/kernel/kernel-spec.js';
import { freeMap, optional, orDefault, present } from './fields.js';

/** The inlined model definition of an inference session (rpc.md §6.5.4) with all defaults applied. */

/** A word that a POSIX shell takes as it is. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

function shellJoin(words: readonly string[]): string {
  return words.map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`)).join(' ');
}

const command = z.union([z.string(), z.array(z.string()).max(1_000).transform(shellJoin)], 'text or an array of texts');

const healthCheck = z.object({
  enable: orDefault(z.boolean(), false),
  path: orDefault(z.string().min(1), '/health'),
  interval: orDefault(z.number().positive(), 10),
  max_retries: orDefault(z.int().min(0), 10),
  max_wait_time: orDefault(z.number().positive(), 15),
  expected_status_code: orDefault(z.int().min(100).max(599), 200),
  initial_delay: orDefault(z.number().min(0), 60),
});

/** Spellings of older definitions; the new one counts where both are there. */
function renamed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const map = value as Readonly<Record<string, unknown>>;
  const start = map['start_command'] ?? map['start-command'] ?? map['command'];
  return { ...map, start_command: start };
}

const service = z.preprocess(
  renamed,
  z
    .object({
      pre_start_actions: orDefault(z.array(z.object({ action: z.string().min(1), args: freeMap })).max(1_000), []),
      start_command: optional(command),
      shell: orDefault(z.string().min(1), '/bin/bash'),
      port: z.int().min(2).max(65_535),
      health_check: optional(healthCheck),
    })
    .transform((entry): ModelService => ({
      preStartActions: entry.pre_start_actions,
      shell: entry.shell,
      port: entry.port,
      ...present({
        startCommand: entry.start_command,
        healthCheck: entry.health_check && {
          enable: entry.health_check.enable,
          path: entry.health_check.path,
          intervalSeconds: entry.health_check.interval,
          maxRetries: entry.health_check.max_retries,
          maxWaitSeconds: entry.health_check.max_wait_time,
          expectedStatusCode: entry.health_check.expected_status_code,
          initialDelaySeconds: entry.health_check.initial_delay,
        },
      }),
    })),
);

const model = z
  .object({
    name: z.string().min(1),
    model_path: z.string().min(1),
    service: optional(service),
    metadata: optional(z.record(z.string(), z.unknown())),
  })
  .transform((entry): Model => ({
    name: entry.name,
    modelPath: entry.model_path,
    ...present({ service: entry.service, metadata: entry.metadata }),
  }));

export const modelDefinition: z.ZodType<ModelDefinition> = z.object({ models: z.array(model).max(100) });
