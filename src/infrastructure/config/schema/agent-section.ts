import { key, known, optional, section } from '../key-definition.js';
import {
  boolean,
  type HostPort,
  hostPort,
  integer,
  listOf,
  oneOf,
  path,
  seconds,
  text,
  userId,
} from '../value-type.js';

const pluginNames = listOf(text({ maxLength: 128 }));

/** `[agent]` (lifecycle.md §7.2). */
export const agentSection = section('The agent process: who it is, where it listens, where it keeps things.', {
  backend: key(oneOf(['docker']), 'docker', 'Container backend. Only Docker is served.', { aliases: ['mode'] }),
  id: optional(
    text({ pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, allowed: 'letters, digits, ".", "_", "-"; at most 64' }),
    'Name of this agent in the cluster. Unset: the name of the instance in a cloud, else "i-" and the host name.',
    { example: '"i-node01"' },
  ),
  region: optional(text({ maxLength: 64 }), 'Region told to the Manager. Unset: that of the cloud, else "local".', {
    env: [{ name: 'BACKEND_REGION' }],
    example: '"seoul-1"',
  }),
  'instance-type': known(text({ maxLength: 64 }), 'Instance type of a cloud machine.', { example: '"default"' }),
  'initial-resource-group-name': optional(
    text({ maxLength: 64 }),
    'Resource group used while the Manager does not know this agent yet.',
    { example: '"default"' },
  ),
  'rpc-listen-addr': key(
    hostPort,
    ({ curveConfigured, standalone }) => ({
      host: curveConfigured ? '0.0.0.0' : '127.0.0.1',
      port: standalone ? 6011 : 6001,
    }),
    'Where the Manager calls (ZeroMQ RPC). Without CURVE keys it listens on this host alone unless told otherwise. An empty host means the main address of this machine; link-local addresses are refused.',
    {
      env: [
        { name: 'BACKEND_AGENT_HOST_OVERRIDE', part: 'host' },
        { name: 'BACKEND_AGENT_PORT', part: 'port' },
      ],
      defaultText: '"127.0.0.1:6011" (with CURVE keys host "0.0.0.0"; with [etcd] port 6001)',
    },
  ),
  'advertised-rpc-addr': optional(hostPort, 'RPC address told to the Manager, if it differs from the listening one.', {
    example: '"10.0.0.5:6011"',
  }),
  'rpc-auth-manager-public-key': optional(
    path,
    'File with the public CURVE key of the Manager, which turns on authentication and encryption of RPC.',
    {
      example: '"/etc/backend.ai/manager.key"',
    },
  ),
  'rpc-auth-agent-keypair': optional(
    path,
    'File with the CURVE key pair of this agent. Unset: one is made at the first start and kept in var-base-path.',
    {
      example: '"/etc/backend.ai/agent.key_secret"',
    },
  ),
  'internal-addr': key<HostPort | null>(
    hostPort,
    ({ standalone }) => (standalone ? null : { host: '0.0.0.0', port: 6003 }),
    'Second address of the HTTP application (health, metrics, kernels). Unset: it listens at [watcher] service-addr only.',
    { aliases: ['service-addr'], example: '"127.0.0.1:6003"', defaultText: 'unset (with [etcd] "0.0.0.0:6003")' },
  ),
  'announce-internal-addr': optional(
    hostPort,
    'Address announced for the HTTP application. Unset: the advertised host and the port of internal-addr.',
    {
      aliases: ['announce-addr'],
      example: '"host.docker.internal:6003"',
    },
  ),
  'ssl-enabled': key(boolean, false, 'TLS at internal-addr.'),
  'ssl-cert': optional(path, 'TLS certificate file (PEM, with its chain). Counts if ssl-enabled.', {
    example: '"/etc/backend.ai/agent.crt"',
  }),
  'ssl-key': optional(path, 'TLS private key file. Counts if ssl-enabled.', {
    example: '"/etc/backend.ai/agent.key"',
  }),
  'ipc-base-path': key(path, '/tmp/backend.ai/ipc', 'Directory of local sockets.'),
  'var-base-path': key(
    path,
    ({ standalone }) => (standalone ? '/tmp/backend.ai/var' : './var/lib/backend.ai'),
    'Directory of what must survive a restart: kernel records, the HTTP token, the lock that keeps a second agent away.',
    { defaultText: '"/tmp/backend.ai/var" (with [etcd] "./var/lib/backend.ai")' },
  ),
  'public-host': optional(text({ maxLength: 253 }), 'Host name under which clients outside reach this machine.', {
    example: '"node01.example.com"',
  }),
  'kernel-creation-concurrency': key(integer(1, 32), 4, 'Kernels created at the same time; more wait.'),
  'sync-container-lifecycles.enabled': key(boolean, true, 'Compare kernels with containers again and again.'),
  'sync-container-lifecycles.interval': key(seconds(), 10, 'Seconds between two comparisons.'),
  'utilization-metric.node.enable': key(boolean, true, 'Node statistics.'),
  'utilization-metric.node.interval': key(seconds(0.1), 30, 'Seconds between node statistics.'),
  'utilization-metric.container.enable': key(boolean, true, 'Container statistics.'),
  'utilization-metric.container.interval': key(seconds(0.1), 30, 'Seconds between container statistics.'),
  'utilization-metric.process.enable': key(boolean, true, 'Process statistics.'),
  'utilization-metric.process.interval': key(seconds(0.1), 30, 'Seconds between process statistics.'),
  'agent-sock-port': known(integer(1024, 65_535), 'Port of the socket for helpers in containers.', { example: '6007' }),
  'mount-path': known(path, 'Base of volumes mounted by event.', { example: '"/mnt/volumes"' }),
  'mount-path-uid-gid': known(
    text({ pattern: /^\d+:\d+$/, allowed: '"uid:gid"' }),
    'Owner given to a mounted volume.',
    {
      example: '"1000:1000"',
    },
  ),
  'cohabiting-storage-proxy': key(
    boolean,
    true,
    'A Storage Proxy runs on this machine and mounts the volumes; the agent only says that they are there.',
  ),
  'event-wire': key(
    oneOf(['auto', 'A', 'B', 'dual']),
    'auto',
    'Form of the events sent to the Manager: "A" is read up to 26.8, "B" from 26.9, "dual" by all. "auto" does as the Managers do, and "dual" while it is not clear. Not known to the reference.',
  ),
  'pid-file': optional(path, 'File that gets the process id while the agent runs.', {
    env: [{ name: 'BACKEND_PID_FILE' }],
    example: '"/run/backend.ai/agent.pid"',
  }),
  'event-loop': known(oneOf(['asyncio', 'uvloop']), 'Event loop of the reference.', { example: '"asyncio"' }),
  'skip-manager-detection': key(boolean, false, 'Start without waiting for a Manager.'),
  'aiomonitor-termui-port': known(integer(1, 65_535), 'Debugging port of the reference.', {
    aliases: ['aiomonitor-port'],
    example: '38200',
  }),
  'aiomonitor-webui-port': known(integer(1, 65_535), 'Debugging port of the reference.', { example: '39200' }),
  'metadata-server-bind-host': known(text({ maxLength: 253 }), 'Address of the metadata server.', {
    example: '"0.0.0.0"',
  }),
  'metadata-server-port': known(integer(1, 65_535), 'Port of the metadata server.', { example: '40128' }),
  'allow-compute-plugins': known(pluginNames, 'Only these accelerator plug-ins.', { example: '["cuda"]' }),
  'block-compute-plugins': known(pluginNames, 'Not these accelerator plug-ins.', { example: '["rocm"]' }),
  'allow-network-plugins': known(pluginNames, 'Only these network plug-ins.', { example: '["overlay"]' }),
  'block-network-plugins': known(pluginNames, 'Not these network plug-ins.', { example: '["host"]' }),
  'image-commit-path': key(path, './tmp/backend.ai/commit', 'Directory of committed images.'),
  'abuse-report-path': optional(path, 'Directory of abuse reports.', { example: '"/var/lib/backend.ai/abuse"' }),
  'force-terminate-abusing-containers': key(boolean, false, 'Destroy kernels that are reported for abuse.'),
  'docker-mode': known(oneOf(['native', 'linuxkit']), 'Kind of Docker installation.', { example: '"native"' }),
  'scaling-group-type': optional(
    oneOf(['compute', 'storage']),
    'Kind of resource group. With "storage" the terminals of kernels can be reached from this machine only.',
    { example: '"compute"' },
  ),
});

/** Keys that a sub-agent or the container section share for the user of kernels. */
export const kernelUser = {
  'kernel-uid': key(
    userId,
    -1,
    "User of what runs in kernels. -1: the agent's own, or 9001 if the agent is root: kernels never run as root by default.",
  ),
  'kernel-gid': key(userId, -1, 'Group of what runs in kernels; -1 like kernel-uid.'),
};
