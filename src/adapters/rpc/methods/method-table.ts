import { agentMethods } from './agent.methods.js';
import { executionMethods } from './execution.methods.js';
import { fileMethods } from './file.methods.js';
import { imageMethods } from './image.methods.js';
import { kernelCareMethods } from './kernel-care.methods.js';
import { kernelMethods } from './kernel.methods.js';
import type { RpcMethod } from './method.js';
import { networkMethods } from './network.methods.js';
import { nodeMethods } from './node.methods.js';
import { serviceMethods } from './service.methods.js';

/** Every method that is answered, by name: the 38 of rpc.md §5, and three of ours. */
export const METHOD_TABLE: ReadonlyMap<string, RpcMethod> = new Map(
  [
    ...agentMethods,
    ...nodeMethods,
    ...kernelMethods,
    ...kernelCareMethods,
    ...executionMethods,
    ...serviceMethods,
    ...fileMethods,
    ...imageMethods,
    ...networkMethods,
  ].map((method) => [method.signature.method, method]),
);
