import { Redis, type RedisOptions } from 'ioredis';
import { type ConnectionOptions, rootCertificates } from 'node:tls';
import type { Logger } from '../../application/ports/logger.port.js';
import type { StateRole } from '../../application/ports/state-store.port.js';
import { DATABASE, type RedisServer, type RedisSettings } from './redis-settings.js';

/** No answer to one command for so long is a failure: below half of any heartbeat interval (dependencies.md D.2). */
const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A peer that is silent for so long while commands wait is given up, and a new connection made. */
const SOCKET_TIMEOUT_MS = 3_000;
const MAX_RECONNECT_DELAY_MS = 1_000;
/** A server that loads its data says how long that will take, and is often ready before. */
const MAX_LOADING_DELAY_MS = 1_000;

export interface ConnectionPurpose {
  readonly role: StateRole;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** False: a command fails at once while there is no connection, instead of waiting for one. */
  readonly waitForConnection: boolean;
}

/**
 * One connection of its own, reconnecting for ever, on which every command ends within about a second. An outage is
 * logged once for each reason when it begins, and once when it ends, not per attempt.
 */
export function connect(settings: RedisSettings, purpose: ConnectionPurpose, logger: Logger): Redis {
  const server = settings.overrides?.[purpose.role === 'discovery' ? 'live' : purpose.role] ?? settings;
  const options: RedisOptions = {
    ...target(server),
    db: DATABASE[purpose.role],
    connectionName: purpose.name,
    disableClientInfo: true,
    commandTimeout: server.requestTimeoutMs ?? COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: purpose.waitForConnection,
    // What was under way may have been done: whether to repeat it is for the caller to say.
    autoResendUnfulfilledCommands: false,
    // The library would do that on its own, and its failure would be a rejection that nobody handles: the end of the agent.
    autoResubscribe: false,
    retryStrategy: (attempt) => Math.min(100 * attempt, MAX_RECONNECT_DELAY_MS),
    maxLoadingRetryTime: MAX_LOADING_DELAY_MS,
    // After a fail-over the old master only reads.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  const redis = new Redis({ ...options, replyMapping: 'legacy' });
  const log = logger.child({ component: 'redis', role: purpose.role });
  const told = new Set<string>();
  redis.on('error', ({ message }: Error) => {
    if (!told.has(message)) log.warn('redis cannot be reached; trying on', { error: message });
    told.add(message);
  });
  redis.on('ready', () => {
    if (told.size > 0) log.info('redis is back');
    told.clear();
  });
  return redis;
}

function target(server: RedisServer): RedisOptions {
  const password = server.password === undefined ? {} : { password: server.password };
  const tls = server.tls === undefined ? undefined : tlsOptions(server.tls);
  if (server.sentinels === undefined || server.sentinels.length === 0) {
    return { ...server.address, ...password, ...(tls === undefined ? {} : { tls }) };
  }
  const sentinelPassword = server.sentinelPassword ?? server.password;
  return {
    sentinels: server.sentinels.map(({ host, port }) => ({ host, port })),
    ...(server.serviceName === undefined ? {} : { name: server.serviceName }),
    ...password,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelRetryStrategy: (attempt) => Math.min(100 * attempt, MAX_RECONNECT_DELAY_MS),
  };
}

function tlsOptions({ skipVerify, ca }: NonNullable<RedisServer['tls']>): ConnectionOptions {
  return { rejectUnauthorized: !skipVerify, ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] }) };
}
