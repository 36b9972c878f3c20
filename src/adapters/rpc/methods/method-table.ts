import { agentMethods } from './agent.methods.js';
import { executionMethods } from './execution.methods.js';
import { kernelMethods } from './kernel.methods.js';
import type { RpcMethod } from './method.js';
import { serviceMethods } from './service.methods.js';

/** Every method that is answered, by name. */
export const METHOD_TABLE: ReadonlyMap<string, RpcMethod> = new Map(
  [...agentMethods, ...kernelMethods, ...executionMethods, ...serviceMethods].map((method) => [
    method.signature.method,
    method,
  ]),
);
