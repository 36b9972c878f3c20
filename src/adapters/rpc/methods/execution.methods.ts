import { z } from 'zod';
import type { ExecuteRequest } from '../../../application/use-cases.js';
import { isAgentError, messageOf } from '../../../domain/error/agent-error.js';
import { foldConsoleV1 } from '../../../domain/execution/console-v1.js';
import type { ExecutionResult } from '../../../domain/execution/execution.js';
import { freeMap, kernelId, optional, orDefault, sessionId, textOrEmpty } from './fields.js';
import { collectLog } from './log-text.js';
import { defineMethod, type RpcMethod } from './method.js';
import { parseArguments } from './parse-arguments.js';
import { asSchema, word } from './readers.js';

const mode = asSchema(word(['query', 'batch', 'input', 'continue']));
/** From this API version on the console is one ordered list (rpc.md §6.9). */
const ORDERED_CONSOLE = 2;
/** What a caller of our own alias waits for output before it is told `continued`. */
const DEFAULT_FLUSH_SECONDS = 2;
const MAX_FLUSH_SECONDS = 86_400;

const runId = optional(z.string().max(256));
const batchSteps = orDefault(z.object({ clean: textOrEmpty, build: textOrEmpty, exec: textOrEmpty }), {
  clean: '',
  build: '',
  exec: '',
});
const seconds = z.number().min(0).max(MAX_FLUSH_SECONDS);

const executeArguments = z.object({
  kernel_id: kernelId,
  run_id: runId,
  mode,
  code: textOrEmpty,
  opts: z.unknown().optional(),
});

function requestOf(args: z.infer<typeof executeArguments>, flushSeconds: number | null): ExecuteRequest {
  return {
    kernelId: args.kernel_id,
    runId: args.run_id === undefined || args.run_id === '' ? null : args.run_id,
    mode: args.mode,
    code: args.code,
    ...(args.mode === 'batch' ? { batch: parseArguments(batchSteps, args.opts, 'opts') } : {}),
    flushTimeoutMs: flushSeconds === null ? null : Math.round(flushSeconds * 1000),
  };
}

/** rpc.md §6.9. */
function executionResult(result: ExecutionResult, apiVersion: number): Record<string, unknown> {
  const common = {
    runId: result.runId,
    status: result.status,
    exitCode: result.exitCode,
    options: result.options,
    files: [],
  };
  return apiVersion >= ORDERED_CONSOLE
    ? { ...common, console: result.console }
    : { ...common, ...foldConsoleV1(result.console) };
}

/** Code in kernels. */
export const executionMethods: readonly RpcMethod[] = [
  defineMethod({
    name: 'execute',
    required: ['session_id', 'kernel_id', 'api_version', 'run_id', 'mode', 'code', 'opts', 'flush_timeout'],
    schema: executeArguments.extend({
      session_id: sessionId,
      api_version: z.int().min(1),
      flush_timeout: seconds.nullable(),
    }),
    handle: async (args, { useCases, signal }) =>
      executionResult(await useCases.execute(requestOf(args, args.flush_timeout), signal), args.api_version),
  }),

  /** Ours, for hand-written clients: `execute` in query mode with the ordered console. */
  defineMethod({
    name: 'execute_code',
    required: ['kernel_id', 'code'],
    optional: ['run_id', 'mode', 'opts', 'flush_timeout'],
    schema: executeArguments.extend({
      mode: orDefault(mode, 'query'),
      flush_timeout: orDefault(seconds, DEFAULT_FLUSH_SECONDS),
    }),
    handle: async (args, { useCases, signal }) =>
      executionResult(await useCases.execute(requestOf(args, args.flush_timeout), signal), ORDERED_CONSOLE),
  }),

  /** rpc.md §6.11. */
  defineMethod({
    name: 'interrupt_kernel',
    required: ['kernel_id'],
    schema: z.object({ kernel_id: kernelId }),
    handle: async ({ kernel_id }, { useCases, signal }) => {
      await useCases.interrupt(kernel_id, signal);
      return { status: 'finished' };
    },
  }),

  /** rpc.md §6.11: a kernel that can't complete is a result, a call that makes no sense is a FAILURE. */
  defineMethod({
    name: 'get_completions',
    required: ['kernel_id', 'text', 'opts'],
    schema: z.object({ kernel_id: kernelId, text: z.string(), opts: freeMap }),
    handle: async ({ kernel_id, text, opts }, { useCases, signal }) => {
      try {
        const suggestions = await useCases.complete(kernel_id, text, opts, signal);
        return { result: { status: 'finished', error: null, suggestions } };
      } catch (error) {
        if (!isAgentError(error) || error.kind !== 'operational') throw error;
        return { result: { status: 'failed', error: messageOf(error), suggestions: [] } };
      }
    },
  }),

  /** rpc.md §6.11. */
  defineMethod({
    name: 'get_logs',
    required: ['kernel_id'],
    atOnce: 4,
    schema: z.object({ kernel_id: kernelId }),
    handle: async ({ kernel_id }, { useCases, signal }) => ({
      logs: await collectLog(useCases.logs(kernel_id, {}, signal)),
    }),
  }),
];
