import { z } from 'zod';
import { defineMethod, type RpcMethod } from './method.js';

/** What a container engine takes as the name of a network. */
const networkName = z.string().regex(/^[a-zA-Z0-9][\w.-]{0,254}$/, 'a name of letters, digits, dots and dashes');

const byName = z.object({ network_name: networkName });

/** Networks of clusters, and ports handed out ahead of a kernel (rpc.md §6.15). */
export const networkMethods: readonly RpcMethod[] = [
  defineMethod({
    name: 'create_local_network',
    required: ['network_name'],
    cancellable: false,
    schema: byName,
    handle: async ({ network_name }, { useCases, signal }) => {
      await useCases.networks.create(network_name, signal);
      return null;
    },
  }),

  /** A network that is still used is a FAILURE: the Manager comes back. */
  defineMethod({
    name: 'destroy_local_network',
    required: ['network_name'],
    cancellable: false,
    schema: byName,
    handle: async ({ network_name }, { useCases, signal }) => {
      await useCases.networks.destroy(network_name, signal);
      return null;
    },
  }),

  /** Nobody gives back a port whose number was never told: who leaves before the answer has none. */
  defineMethod({
    name: 'assign_port',
    schema: z.object({}),
    handle: async (_, { useCases, signal }) => {
      const port = await useCases.networks.assignPort();
      if (signal.aborted) useCases.networks.releasePort(port);
      return port;
    },
  }),

  defineMethod({
    name: 'release_port',
    required: ['port_no'],
    schema: z.object({ port_no: z.int() }),
    handle: ({ port_no }, { useCases }) => {
      useCases.networks.releasePort(port_no);
      return null;
    },
  }),
];
