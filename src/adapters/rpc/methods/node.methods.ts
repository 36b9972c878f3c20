import { z } from 'zod';
import type { HardwareInfo } from '../../../application/use-cases.js';
import { defineMethod, type RpcMethod } from './method.js';

/** rpc.md §6.2: exactly these three keys, old Managers refuse others. */
function hardwareEntry(device: HardwareInfo): Record<string, unknown> {
  return { status: device.status, status_info: device.statusInfo, metadata: device.metadata };
}

/** The node behind the agent (rpc.md §6.2, §6.16, §6.17). */
export const nodeMethods: readonly RpcMethod[] = [
  /** Managers up to 26.4.3. */
  defineMethod({
    name: 'gather_hwinfo',
    schema: z.object({}),
    handle: async (_, { useCases, signal }) => {
      const devices = await useCases.node.hardware(signal);
      return Object.fromEntries(devices.map((device) => [device.deviceName, hardwareEntry(device)]));
    },
  }),

  defineMethod({
    name: 'gather_hwinfo_v2',
    v3: true,
    schema: z.object({}),
    handle: async (_, { useCases, signal }) => {
      const devices = await useCases.node.hardware(signal);
      return { devices: devices.map((device) => ({ device_name: device.deviceName, ...hardwareEntry(device) })) };
    },
  }),

  defineMethod({
    name: 'scan_gpu_alloc_map',
    schema: z.object({}),
    handle: (_, { useCases }) => useCases.node.gpuAllocations(),
  }),

  /** The agent's id is its only argument, and comes by position. */
  defineMethod({
    name: 'get_local_config',
    schema: z.object({}),
    handle: (_, { useCases }) => ({ agent: { 'abuse-report-path': useCases.node.abuseReportPath() }, watcher: {} }),
  }),

  /** Managers up to 26.7, with the agent's id by position. */
  defineMethod({
    name: 'update_scaling_group',
    required: ['scaling_group'],
    cancellable: false,
    schema: z.object({ scaling_group: z.string().min(1).max(64) }),
    handle: async ({ scaling_group }, { useCases }) => {
      await useCases.node.changeResourceGroup(scaling_group);
      return null;
    },
  }),

  defineMethod({
    name: 'reset_agent',
    cancellable: false,
    schema: z.object({}),
    handle: async (_, { useCases, signal }) => {
      await useCases.node.reset(signal);
      return null;
    },
  }),

  /** Stops nothing, as in the reference: an agent is stopped by whoever started it. */
  defineMethod({
    name: 'shutdown_agent',
    required: ['terminate_kernels'],
    schema: z.object({ terminate_kernels: z.boolean() }),
    handle: () => null,
  }),
];
