import { key, known, optional, section } from '../key-definition.js';
import {
  boolean,
  freeTable,
  freeTables,
  hostPort,
  integer,
  listOf,
  oneOf,
  oneOrMore,
  path,
  seconds,
  secondsOrNone,
  size,
  text,
} from '../value-type.js';

/** The smaller sections that have an effect (lifecycle.md §7.4, state.md §9.3). */

export const LOG_LEVELS = ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'TRACE', 'NOTSET'] as const;
const level = oneOf(LOG_LEVELS, { ignoreCase: true });

export const containerLogsSection = section('Logs of containers.', {
  driver: key(oneOf(['local', 'json-file']), 'local', 'Log driver of Docker.'),
  'max-length': key(size, 10 * 1024 ** 2, 'Size of the log kept of a container.'),
  'chunk-size': known(size, 'Size of a piece of log sent away.', { example: '"64K"' }),
});

export const apiSection = section('Deadlines of long operations.', {
  'pull-timeout': key(secondsOrNone, 7200, 'Seconds that pulling an image may take.'),
  'commit-timeout': known(secondsOrNone, 'Seconds that committing may take.', { example: '"none"' }),
  'push-timeout': known(secondsOrNone, 'Seconds that pushing may take.', { example: '"none"' }),
});

export const kernelLifecyclesSection = section('Deadlines in the life of a kernel.', {
  'init-timeout-sec': key(seconds(1), 60, 'Seconds from the start of a container to the first answer of its runner.'),
  'stop-grace-sec': key(seconds(), 5, 'Seconds between the stop signal and the kill. Not known to the reference.'),
  'init-polling-attempt': known(integer(1, 1000), 'Attempts of the reference to reach a runner.', { example: '10' }),
  'init-polling-timeout-sec': known(seconds(), 'Seconds of one such attempt.', { example: '60' }),
});

const referenceSwitch = known(boolean, 'Debugging switch of the reference.', { example: 'false' });

export const debugSection = section('For developers.', {
  enabled: key(boolean, false, 'Log everything (like --debug).'),
  'heartbeat-interval': key(seconds(0.1), 20, 'Seconds between two heartbeats.'),
  asyncio: referenceSwitch,
  'kernel-runner': referenceSwitch,
  'enhanced-aiomonitor-task-info': referenceSwitch,
  'skip-container-deletion': referenceSwitch,
  'log-stats': referenceSwitch,
  'log-kernel-config': referenceSwitch,
  'log-alloc-map': referenceSwitch,
  'log-events': referenceSwitch,
  'log-heartbeats': referenceSwitch,
  'log-docker-events': referenceSwitch,
  'coredump.enabled': referenceSwitch,
  'coredump.path': known(path, 'Directory of core dumps.', { example: '"./coredumps"' }),
  'coredump.backup-count': known(integer(1), 'Core dumps kept.', { example: '10' }),
  'coredump.size-limit': known(size, 'Largest core dump.', { example: '"64M"' }),
});

export const loggingSection = section('Logs of the agent.', {
  level: key(level, 'INFO', 'Least level that is logged.'),
  'console.format': key(
    oneOf(['auto', 'simple', 'verbose', 'json']),
    'auto',
    '"simple" and "verbose" are for people, "json" is one object a line, "auto" picks by whether stderr is a terminal.',
  ),
  'console.colored': optional(boolean, 'Colours on the console. Unset: if it is a terminal.', { example: 'true' }),
  drivers: known(
    listOf(oneOf(['console', 'file', 'logstash', 'graylog'])),
    'Where logs go; only the console is served.',
    {
      example: '["console"]',
    },
  ),
  'pkg-ns': known(freeTable, 'Levels by package.', { example: '{}' }),
  file: known(freeTable, 'Log file.', { example: '{}' }),
  logstash: known(freeTable, 'Logstash.', { example: '{}' }),
  graylog: known(freeTable, 'Graylog.', { example: '{}' }),
});

export const watcherSection = section('The HTTP application (Watcher API).', {
  'service-addr': key(
    hostPort,
    { host: '127.0.0.1', port: 6009 },
    'Where it listens. The command line finds the running agent here.',
    {
      env: [
        { name: 'BACKEND_WATCHER_SERVICE_IP', part: 'host' },
        { name: 'BACKEND_WATCHER_SERVICE_PORT', part: 'port' },
      ],
    },
  ),
  token: optional(
    text({ pattern: /^[\x21-\x7e]{16,256}$/, allowed: '16 to 256 printable characters without spaces' }),
    'Token of all that is not open. Unset: made at the first start and kept in <var-base-path>/watcher-token.',
    { secret: true, example: '"…"' },
  ),
  'usage-interval': key(
    seconds(0.1),
    2,
    'Seconds between two samples of what kernels use. Not known to the reference.',
  ),
  'ssl-enabled': known(boolean, 'TLS. Not available yet: true is refused.', { example: 'false' }),
  'ssl-cert': known(path, 'TLS certificate file.', { example: '"/etc/backend.ai/agent.crt"' }),
  'ssl-key': known(path, 'TLS private key file.', { example: '"/etc/backend.ai/agent.key"' }),
  'target-service': known(text(), 'Unit that the control calls act on.', { example: '"backendai-agent.service"' }),
  'soft-reset-available': known(boolean, 'Allow soft resets.', { example: 'false' }),
});

const redisServer = {
  addr: known(hostPort, 'Address of Redis.', { example: '"127.0.0.1:6379"' }),
  sentinel: known(oneOrMore(hostPort), 'Addresses of sentinels; then addr is ignored.', {
    example: '["10.0.0.1:26379"]',
  }),
  'service-name': known(text(), 'Name of the master known to the sentinels.', { example: '"mymaster"' }),
  password: known(text(), 'Password.', { secret: true, example: '"…"' }),
  'sentinel-password': known(text(), 'Password of the sentinels.', { secret: true, example: '"…"' }),
  'request-timeout': known(integer(1), 'Milliseconds that a request may take.', { example: '1000' }),
  'use-tls': known(boolean, 'TLS.', { example: 'false' }),
  'tls-skip-verify': known(boolean, 'Take any certificate.', { example: 'false' }),
  'redis-helper-config': known(freeTable, 'Timeouts of the reference client.', { example: '{}' }),
  'override-configs': known(freeTable, 'Other servers by role.', { secret: true, example: '{}' }),
};

export const redisSection = section('Redis. Without it events and statistics stay in the process.', redisServer);

export const etcdSection = section('etcd. Its presence says that this machine belongs to a cluster.', {
  namespace: known(text({ maxLength: 128 }), 'Key prefix of the cluster.', {
    env: [{ name: 'BACKEND_NAMESPACE' }],
    example: '"local"',
  }),
  addr: known(oneOrMore(hostPort), 'One address or several.', {
    env: [{ name: 'BACKEND_ETCD_ADDR' }],
    example: '"127.0.0.1:2379"',
  }),
  user: known(text({ maxLength: 128 }), 'User.', { env: [{ name: 'BACKEND_ETCD_USER' }], example: '"backend"' }),
  password: known(text(), 'Password.', { secret: true, env: [{ name: 'BACKEND_ETCD_PASSWORD' }], example: '"…"' }),
});

/** Sections that are taken as they are: nothing depends on them yet. */
export const freeSections: Readonly<Record<string, typeof freeTable | typeof freeTables>> = {
  pyroscope: freeTable,
  otel: freeTable,
  'service-discovery': freeTable,
  plugins: freeTable,
  agents: freeTables,
};
