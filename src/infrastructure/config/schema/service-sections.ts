import { key, known, optional, section } from '../key-definition.js';
import {
  boolean,
  freeTable,
  hostPort,
  integer,
  listOf,
  oneOf,
  oneOrMore,
  path,
  seconds,
  secondsOrNone,
  size,
  tableOf,
  tableWith,
  text,
} from '../value-type.js';

/** The smaller sections that have an effect (lifecycle.md §7.4, state.md §9.3). */

/** Roles that may have a Redis server of their own (state.md §1.1). */
const REDIS_ROLES = [
  'statistics',
  'rate_limit',
  'live',
  'image',
  'stream',
  'stream_lock',
  'container_log',
  'bgtask',
  'tus',
] as const;

export const LOG_LEVELS = ['CRITICAL', 'ERROR', 'WARNING', 'INFO', 'DEBUG', 'TRACE', 'NOTSET'] as const;
const level = oneOf(LOG_LEVELS, { ignoreCase: true });

export const containerLogsSection = section('Logs of containers.', {
  driver: key(oneOf(['local', 'json-file']), 'local', 'Log driver of Docker.'),
  'max-length': key(size, 10 * 1024 ** 2, 'Size of the log kept of a container.'),
  'chunk-size': key(size, 64 * 1024, 'Size of a piece of log sent away.'),
});

export const apiSection = section('Deadlines of long operations.', {
  'pull-timeout': key(secondsOrNone, 7200, 'Seconds that pulling an image may take.'),
  'commit-timeout': optional(secondsOrNone, 'Seconds that committing may take. Unset: no limit.', {
    example: '"none"',
  }),
  'push-timeout': optional(secondsOrNone, 'Seconds that pushing may take. Unset: no limit.', { example: '"none"' }),
});

export const kernelLifecyclesSection = section('Deadlines in the life of a kernel.', {
  'init-timeout-sec': key(seconds(1), 60, 'Seconds from the start of a container to the first answer of its runner.'),
  'stop-grace-sec': key(seconds(), 5, 'Seconds between the stop signal and the kill. Not known to the reference.', {
    own: true,
  }),
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
  drivers: key(
    listOf(oneOf(['console', 'file', 'logstash', 'graylog'])),
    ['console'],
    'Where logs go: the console (stderr), a file, or both. The others are not served.',
  ),
  'file.path': optional(path, 'Directory of the log file. Needed by the driver "file".', {
    example: '"/var/log/backend.ai"',
  }),
  'file.filename': key(
    text({ pattern: /^(?!\.{1,2}$)[^/\0]{1,200}$/, allowed: 'a file name without "/"' }),
    'agent.log',
    'Name of the log file.',
  ),
  'file.rotation-size': key(size, 10 * 1024 ** 2, 'A larger log file becomes FILENAME.1, and a new one begins.'),
  'file.backup-count': key(integer(0, 1000), 5, 'So many older log files are kept; with 0 one file grows.'),
  'file.format': known(
    oneOf(['simple', 'verbose', 'json']),
    'The file holds JSON lines whatever this says, as that of the reference does.',
    { example: '"verbose"' },
  ),
  'pkg-ns': known(freeTable, 'Levels by package.', { example: '{}' }),
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
    5,
    'Seconds between two samples of what kernels use. Not known to the reference.',
  ),
  'ssl-enabled': known(boolean, 'TLS. Not available yet: true is refused.', { example: 'false' }),
  'ssl-cert': known(path, 'TLS certificate file.', { example: '"/etc/backend.ai/agent.crt"' }),
  'ssl-key': known(path, 'TLS private key file.', { example: '"/etc/backend.ai/agent.key"' }),
  'target-service': key(
    text({ pattern: /^[A-Za-z0-9][\w@.:-]{0,127}$/, allowed: 'the name of a systemd unit' }),
    'backendai-agent.service',
    'Unit of this agent, for the control calls.',
  ),
  'soft-reset-available': key(boolean, false, 'Allow soft resets.'),
});

/** Keys of one Redis server; their text forms are those of etcd (state.md §1.1). */
const redisServer = {
  addr: hostPort,
  sentinel: oneOrMore(hostPort),
  'service-name': text({ maxLength: 128 }),
  password: text(),
  'sentinel-password': text(),
  'request-timeout': integer(1, 600_000),
  'use-tls': boolean,
  'tls-skip-verify': boolean,
};

export const redisSection = section(
  'Redis. Where etcd has config/redis, this section is replaced by it. A machine of its own needs none.',
  {
    addr: optional(redisServer.addr, 'Address of Redis.', { example: '"127.0.0.1:6379"' }),
    sentinel: optional(redisServer.sentinel, 'Addresses of sentinels; then addr is ignored.', {
      example: '["10.0.0.1:26379"]',
    }),
    'service-name': optional(redisServer['service-name'], 'Name of the master known to the sentinels.', {
      example: '"mymaster"',
    }),
    password: optional(redisServer.password, 'Password.', { secret: true, example: '"…"' }),
    'sentinel-password': optional(redisServer['sentinel-password'], 'Password of the sentinels. Unset: password.', {
      secret: true,
      example: '"…"',
    }),
    'request-timeout': optional(redisServer['request-timeout'], 'Milliseconds that a request may take. Unset: 1000.', {
      example: '1000',
    }),
    'use-tls': key(redisServer['use-tls'], false, 'TLS.'),
    'tls-skip-verify': key(redisServer['tls-skip-verify'], false, 'Take any certificate.'),
    'tls-ca': optional(
      path,
      'Certificates to trust besides the well-known ones, for every server. Not known to the reference.',
      {
        own: true,
        example: '"/etc/backend.ai/redis-ca.crt"',
      },
    ),
    'redis-helper-config': known(freeTable, 'Timeouts of the reference client.', {
      aliases: ['helper'],
      example: '{}',
    }),
    'override-configs': optional(
      tableOf(oneOf(REDIS_ROLES), tableWith(redisServer)),
      'Other servers by role, each with the keys above. The number of the database stays the same.',
      { secret: true, example: '{ container_log = { addr = "10.0.0.2:6379" } }' },
    ),
  },
);

export const etcdSection = section('etcd. Its presence says that this machine belongs to a cluster.', {
  namespace: key(
    text({ pattern: /^[^/\s]{1,128}$/, allowed: 'a name without "/" and spaces' }),
    'local',
    'Key prefix of the cluster.',
    { env: [{ name: 'BACKEND_NAMESPACE' }] },
  ),
  addr: key(oneOrMore(hostPort), [{ host: '127.0.0.1', port: 2379 }], 'One address or several.', {
    env: [{ name: 'BACKEND_ETCD_ADDR' }],
  }),
  user: optional(text({ maxLength: 128 }), 'User. Only used together with a password.', {
    env: [{ name: 'BACKEND_ETCD_USER' }],
    example: '"backend"',
  }),
  password: optional(text(), 'Password.', { secret: true, env: [{ name: 'BACKEND_ETCD_PASSWORD' }], example: '"…"' }),
  tls: optional(boolean, 'TLS. Unset: if one of the tls-* keys is set. Not known to the reference.', {
    example: 'true',
  }),
  'tls-ca': optional(path, 'Certificates of the authorities to trust. Unset: the well-known ones.', {
    example: '"/etc/backend.ai/etcd-ca.crt"',
  }),
  'tls-cert': optional(path, 'Client certificate. Goes with tls-key.', {
    example: '"/etc/backend.ai/etcd-client.crt"',
  }),
  'tls-key': optional(path, 'Private key of the client certificate.', {
    example: '"/etc/backend.ai/etcd-client.key"',
  }),
  'tls-skip-verify': key(boolean, false, 'Take any certificate.'),
});

/** Sections that are taken as they are: nothing depends on them yet. */
export const freeSections: Readonly<Record<string, typeof freeTable>> = {
  pyroscope: freeTable,
  otel: freeTable,
  plugins: freeTable,
};
