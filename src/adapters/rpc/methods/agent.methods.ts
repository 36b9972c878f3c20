import { z } from 'zod';
import type { DependencyHealth, HealthReport } from '../../../application/use-cases.js';
import { messageOf } from '../../../domain/error/agent-error.js';
import { encodeDocument } from '../dialect/document-codec.js';
import { malformed } from '../wire-errors.js';
import { kernelId, optional } from './fields.js';
import { isoTime, kernelStatus } from './kernel-result.js';
import { defineMethod, type RpcMethod } from './method.js';

function checkOf(dependency: DependencyHealth): Record<string, unknown> {
  return {
    service_group: dependency.group,
    component_id: dependency.component,
    is_healthy: dependency.healthy,
    last_checked_at: isoTime(dependency.checkedAtMs),
    error_message: dependency.error,
  };
}

/** rpc.md §6.1. A Manager checks the types strictly. */
function healthMap(report: HealthReport): Record<string, unknown> {
  return {
    status: report.status,
    version: report.version,
    component: 'agent',
    connectivity: {
      overall_healthy: report.status === 'ok',
      connectivity_checks: report.dependencies.map(checkOf),
      timestamp: isoTime(report.timestampMs),
    },
  };
}

/** Real pings are texts; of anything else it must be clear that it can be told again. */
function echo(message: unknown): unknown {
  if (typeof message === 'string') return message;
  try {
    encodeDocument(message);
    return message;
  } catch (error) {
    throw malformed(`msg: ${messageOf(error)}`, { field: 'msg', allowed: 'a plain value', cause: error });
  }
}

/** Questions to the agent as a whole. */
export const agentMethods: readonly RpcMethod[] = [
  /** rpc.md §6.1: must not need any part of the agent to be well. */
  defineMethod({
    name: 'ping',
    required: ['msg'],
    agentScoped: false,
    schema: z.object({ msg: z.unknown() }),
    handle: ({ msg }) => echo(msg),
  }),

  /** rpc.md §6.1: Managers up to 26.4.3. */
  defineMethod({
    name: 'health',
    agentScoped: false,
    schema: z.object({}),
    handle: async (_, { useCases }) => healthMap(await useCases.health()),
  }),

  /** rpc.md §6.1. */
  defineMethod({
    name: 'health_v2',
    v3: true,
    schema: z.object({}),
    handle: async (_, { useCases }) => healthMap(await useCases.health()),
  }),

  /** Ours: of the agent, or of one kernel if its id is given. The reference has no such method (rpc.md §5.1). */
  defineMethod({
    name: 'get_status',
    optional: ['kernel_id'],
    schema: z.object({ kernel_id: optional(kernelId) }),
    handle: ({ kernel_id }, { useCases }) => {
      if (kernel_id !== undefined) return kernelStatus(useCases.getKernel(kernel_id), useCases.usage(kernel_id));
      const status = useCases.status();
      return {
        agent_id: status.agentId,
        version: status.version,
        ready: status.ready,
        slots: status.slots,
        ports: status.ports,
        kernels: status.kernels,
        dependencies: status.dependencies.map(checkOf),
      };
    },
  }),
];
