import { decode } from '@msgpack/msgpack';
import { z } from 'zod';
import type { RunnerStatus } from '../../application/ports/kernel-runner.port.js';
import { kernelRunnerFailure } from '../../domain/error/errors.js';
import { MAX_NAMED_RUNS, type RunnerApp, type ServiceResult } from '../../domain/krunner-wire/krunner-wire.js';

/** Replies of a runner (krunner.md §2.4, §2.5). It runs next to user code: nothing it says is trusted. */

const MAX_REPLY_BYTES = 2 ** 20;
const MAX_ITEMS = 1000;
const word = z.string().max(4096);

const runs = z
  .record(word, z.number().int().nullable())
  .transform((record) => new Map(Object.entries(record).slice(-MAX_NAMED_RUNS)));

const statusReply = z.object({ started_at: z.number(), runs: runs.optional() });

const serviceReply = z
  .object({ status: z.enum(['started', 'running', 'failed']), error: z.string().nullish() })
  .transform(({ status, error }): ServiceResult => {
    if (status !== 'failed') return { status };
    return { status, error: error?.slice(0, 4096) || 'the kernel runner gave no reason' };
  });

const app = z.object({
  name: word,
  url_template: word.exactOptional(),
  allowed_arguments: z.array(word).max(MAX_ITEMS).exactOptional(),
  allowed_envs: z.array(word).max(MAX_ITEMS).exactOptional(),
});

const appsReply = z.object({ status: z.string(), data: z.array(app).max(MAX_ITEMS).nullish() });

const completionReply = z.object({ suggestions: z.array(word).max(10_000) });

export function parseStatus(payload: Uint8Array): RunnerStatus {
  bounded(payload);
  const { started_at: startedAt, runs } = statusReply.parse(decode(payload));
  return runs === undefined ? { startedAt } : { startedAt, runs };
}

export function parseService(payload: Uint8Array): ServiceResult {
  return serviceReply.parse(json(payload));
}

export function parseApps(payload: Uint8Array): readonly RunnerApp[] {
  const reply = appsReply.parse(json(payload));
  if (reply.status === 'failed')
    throw kernelRunnerFailure('the kernel runner could not list its apps', { retryable: true });
  return reply.data ?? [];
}

export function parseCompletion(payload: Uint8Array): readonly string[] {
  return completionReply.parse(json(payload)).suggestions;
}

function json(payload: Uint8Array): unknown {
  bounded(payload);
  return JSON.parse(new TextDecoder().decode(payload));
}

function bounded(payload: Uint8Array): void {
  if (payload.length > MAX_REPLY_BYTES) throw new Error(`a reply of ${payload.length} bytes`);
}
