import { key, known, optional, section } from '../key-definition.js';
import { boolean, freeTable, integer, listOf, oneOf, path, portRange, size, text } from '../value-type.js';
import { kernelUser } from './agent-section.js';

/** `[container]` (lifecycle.md §7.3). */
export const containerSection = section('The containers: addresses, ports, users, limits, scratch directories.', {
  'bind-host': key(
    text({ maxLength: 253 }),
    '',
    'Address of this host at which service ports are published. Empty: the host of rpc-listen-addr.',
    { aliases: ['kernel-host'], env: [{ name: 'BACKEND_BIND_HOST_OVERRIDE' }] },
  ),
  'advertised-host': optional(
    text({ maxLength: 253 }),
    'Host of service ports as told to the Manager. Unset: bind-host.',
    {
      example: '"10.0.0.5"',
    },
  ),
  ...kernelUser,
  'port-range': key(portRange, [30000, 31000], 'Host ports for services, both ends included.', {
    env: [{ name: 'BACKEND_CONTAINER_PORT_RANGE' }],
  }),
  'port-reuse-cooldown-sec': key(integer(0, 86_400), 60, 'Seconds before a released port is given again.'),
  'pids-limit': key(
    integer(16, 4_194_304),
    4096,
    'Processes and threads that one kernel may have. Not known to the reference.',
  ),
  'scratch-type': key(oneOf(['hostdir']), 'hostdir', 'Kind of scratch storage. Only host directories are served.'),
  'scratch-root': key(
    path,
    ({ standalone }) => (standalone ? '/tmp/backend.ai/scratches' : './scratches'),
    'Directory of the scratch directories of kernels.',
    {
      env: [{ name: 'BACKEND_SCRATCH_ROOT' }],
      defaultText: '"/tmp/backend.ai/scratches" (with [etcd] "./scratches")',
    },
  ),
  'alternative-bridge': optional(text({ maxLength: 128 }), 'Docker network used in place of the default bridge.', {
    example: '"br-kernels"',
  }),
  'sandbox-type': key(oneOf(['docker']), 'docker', 'Sandbox of kernels. Only Docker is served.', {
    env: [{ name: 'BACKEND_SANDBOX_TYPE' }],
  }),
  'krunner-volumes': known(freeTable, 'Runner volumes by distribution; our runner needs none.', { example: '{}' }),
  'stats-type': known(oneOf(['docker', 'cgroup']), 'Source of statistics; cgroup files are always read here.', {
    example: '"cgroup"',
  }),
  'jail-args': known(listOf(text()), 'Arguments of the jail sandbox.', { example: '[]' }),
  'scratch-size': known(size, 'Size of a scratch file.', { example: '"0"' }),
  'scratch-nfs-address': known(text(), 'NFS address of scratches.', { example: '""' }),
  'scratch-nfs-options': known(text(), 'NFS options of scratches.', { example: '""' }),
  'swarm-enabled': known(boolean, 'Overlay networks.', { example: 'false' }),
});
