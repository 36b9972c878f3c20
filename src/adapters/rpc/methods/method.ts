import type { z } from 'zod';
import type { UseCases } from '../../../application/use-cases.js';
import type { Signature } from '../binding.js';
import { malformed, schemaMismatch } from '../wire-errors.js';
import { parseArguments } from './parse-arguments.js';
import { readAll, type Reader } from './readers.js';

/** What a method may use besides its arguments. */
export interface CallContext {
  readonly useCases: UseCases;
  /** Fires when the caller has left (if the method is `cancellable`) or the server closes. */
  readonly signal: AbortSignal;
}

/** A method as the dispatcher sees it. */
export interface RpcMethod {
  readonly signature: Signature;
  /** False for work that must reach a consistent state even if nobody waits for it any more (rpc.md §7.1.4). */
  readonly cancellable: boolean;
  /** So many calls of it are worked on together, since each holds a large answer; the others wait in line. */
  readonly atOnce: number | undefined;
  /**
   * What the use case gives, or a promise of it. Everything up to the use case happens at once, so that calls begin in
   * the order in which they came.
   *
   * @throws InvalidArgumentError before anything is done, else what the use case throws.
   */
  invoke(bound: Readonly<Record<string, unknown>>, context: CallContext): unknown;
}

interface MethodDefinition<Args> {
  readonly name: string;
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  /** Older names of parameters that are sent by name. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** True for methods whose arguments travel in one map `req` (rpc.md §4.4). */
  readonly v3?: boolean;
  /** False for the few methods without the implied last parameter `agent_id` (rpc.md §4.3). */
  readonly agentScoped?: boolean;
  readonly cancellable?: boolean;
  readonly atOnce?: number;
  /** A schema, or for a method that must be quick a reader. */
  readonly schema: z.ZodType<Args> | Reader<Args>;
  readonly handle: (args: Args, context: CallContext) => unknown;
}

export function defineMethod<Args>(definition: MethodDefinition<Args>): RpcMethod {
  const { name, required = [], optional = [], agentScoped = true, cancellable = true, schema, handle } = definition;
  const { aliases = {}, v3 = false, atOnce } = definition;
  const parse = (value: unknown): Args =>
    typeof schema === 'function' ? readAll(schema, value, '') : parseArguments(schema, value);
  const params = agentScoped ? [...optional, 'agent_id'] : optional;
  return {
    signature: { method: name, required, optional: v3 ? ['req', ...params] : params, aliases },
    cancellable,
    atOnce,
    invoke: (bound, context) => handle(parse(v3 ? requestOf(bound['req']) : bound), context),
  };
}

/** @throws ValueError, BackendAISchemaValidationFailed as the reference answers (rpc.md §4.6). */
function requestOf(req: unknown): unknown {
  if (req === undefined) throw malformed("v3 RPC body is missing the 'req' envelope field", { field: 'req' });
  if (typeof req !== 'object' || req === null || Array.isArray(req)) throw schemaMismatch('req must be a map');
  return req;
}
