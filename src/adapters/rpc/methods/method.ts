import type { z } from 'zod';
import type { UseCases } from '../../../application/use-cases.js';
import type { Signature } from '../binding.js';
import { parseArguments } from './parse-arguments.js';

/** What a method may use besides its arguments. */
interface CallContext {
  readonly useCases: UseCases;
  /** Fires when the caller has left (if the method is `cancellable`) or the server closes. */
  readonly signal: AbortSignal;
}

/** A method as the dispatcher sees it. */
export interface RpcMethod {
  readonly signature: Signature;
  /** False for work that must reach a consistent state even if nobody waits for it any more (rpc.md §7.1.4). */
  readonly cancellable: boolean;
  /** @throws InvalidArgumentError before anything is done, else what the use case throws. */
  invoke(bound: Readonly<Record<string, unknown>>, context: CallContext): Promise<unknown>;
}

interface MethodDefinition<Args> {
  readonly name: string;
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  /** False for the few methods without the implied last parameter `agent_id` (rpc.md §4.3). */
  readonly agentScoped?: boolean;
  readonly cancellable?: boolean;
  readonly schema: z.ZodType<Args>;
  readonly handle: (args: Args, context: CallContext) => unknown;
}

export function defineMethod<Args>(definition: MethodDefinition<Args>): RpcMethod {
  const { name, required = [], optional = [], agentScoped = true, cancellable = true, schema, handle } = definition;
  return {
    signature: { method: name, required, optional: agentScoped ? [...optional, 'agent_id'] : optional },
    cancellable,
    invoke: async (bound, context) => await handle(parseArguments(schema, bound), context),
  };
}
