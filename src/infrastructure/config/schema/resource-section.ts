import { key, known, section } from '../key-definition.js';
import { freeTable, integer, listOf, oneOf, size, text } from '../value-type.js';
import { z } from 'zod';

/** Numbers 0 and 1 are the reference's other spelling. */
const affinityPolicy = {
  schema: z.union([
    oneOf(['INTERLEAVED', 'PREFER_SINGLE_NODE'], { ignoreCase: true }).schema,
    z.literal([0, 1]).transform((value) => (value === 0 ? ('PREFER_SINGLE_NODE' as const) : ('INTERLEAVED' as const))),
  ]),
  allowed: '"INTERLEAVED" or "PREFER_SINGLE_NODE"',
};

/** `[resource]` (lifecycle.md §7.4). On a machine of its own less is kept back, so that two cores can run a kernel. */
export const resourceSection = section('What of this machine is for kernels, and how it is shared out.', {
  'reserved-cpu': key(integer(0, 4096), ({ standalone }) => (standalone ? 0 : 1), 'Cores kept for the system.', {
    defaultText: '0 (with [etcd] 1)',
  }),
  'reserved-mem': key(
    size,
    ({ standalone }) => (standalone ? 256 * 1024 ** 2 : 1024 ** 3),
    'Memory kept for the system.',
    { defaultText: '"256M" (with [etcd] "1G")' },
  ),
  'reserved-disk': known(size, 'Disk space kept for the system.', { example: '"8G"' }),
  'memory-align-size': key(size, 16 * 1024 ** 2, 'Memory amounts are cut to multiples of this.'),
  'allocation-order': key(
    listOf(text({ pattern: /^[a-z][a-z0-9_-]{0,31}$/, allowed: 'a device name such as "cpu"' })),
    ['cuda', 'rocm', 'tpu', 'cpu', 'mem'],
    'Device names in the order in which a kernel gets them.',
  ),
  'affinity-policy': key(affinityPolicy, 'INTERLEAVED', 'Spread a kernel over NUMA nodes, or prefer a single one.'),
  'allocation-mode': known(oneOf(['shared', 'auto-split', 'manual']), 'How several agents share a machine.', {
    example: '"shared"',
  }),
  'allocations.cpu': known(integer(0), 'Cores of this agent in manual mode.', { example: '4' }),
  'allocations.mem': known(size, 'Memory of this agent in manual mode.', { example: '"8G"' }),
  'allocations.devices': known(freeTable, 'Devices of this agent in manual mode.', { example: '{}' }),
});
