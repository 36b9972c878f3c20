import { z } from 'zod';
import type { ServiceEndpointBody } from '../../../domain/event/agent-event.js';
import { key, optional, section } from '../key-definition.js';
import { kebabKeys, oneOf, text, type ValueType } from '../value-type.js';

const word = z.string().min(1).max(256);

const endpoint = z.preprocess(
  kebabKeys,
  z.strictObject({
    role: word,
    scope: word,
    address: word,
    port: z.number().int().min(1).max(65_535),
    protocol: word,
    metadata: z.record(z.string(), z.string()).default({}),
  }),
);

const endpoints: ValueType<readonly ServiceEndpointBody[]> = {
  schema: z.array(endpoint).max(32),
  allowed: 'a list of { role, scope, address, port, protocol, metadata }',
};

const labels: ValueType<Readonly<Record<string, string>>> = {
  schema: z.record(z.string().max(128), z.string().max(1024)),
  allowed: 'a table of texts',
};

/** `[service-discovery]` (state.md §8). */
export const serviceDiscoverySection = section('How others find this agent.', {
  type: key(oneOf(['redis', 'etcd']), 'redis', 'Where the address of its metrics is kept.'),
  'service-group': optional(text({ maxLength: 64 }), "Group in the Manager's service catalogue. Unset: not in it.", {
    example: '"agent"',
  }),
  'instance-id': optional(text({ maxLength: 128 }), 'Name in the service catalogue. Unset: the agent id.', {
    example: '"i-node01"',
  }),
  'display-name': optional(text({ maxLength: 128 }), 'Name shown to people. Unset: "agent-" and the agent id.', {
    example: '"agent-i-node01"',
  }),
  'extra-labels': key(labels, {}, 'Labels in the service catalogue.', { defaultText: '{}' }),
  endpoints: key(endpoints, [], 'Addresses told in the service catalogue.', { defaultText: '[]' }),
});
