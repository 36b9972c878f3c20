import { readFileSync } from 'node:fs';
import type { RedisServer, RedisSettings } from '../../adapters/redis/redis-settings.js';
import type { ConfigValues } from './config-schema.js';
import type { HostPort } from './value-type.js';

/** The keys of one server, however they came: unset is absent or `null`. */
interface ServerKeys {
  readonly addr?: HostPort | null | undefined;
  readonly sentinel?: readonly HostPort[] | null | undefined;
  readonly 'service-name'?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly 'sentinel-password'?: string | null | undefined;
  readonly 'request-timeout'?: number | null | undefined;
  readonly 'use-tls'?: boolean | undefined;
  readonly 'tls-skip-verify'?: boolean | undefined;
}

/** Roles of the reference that this agent has a connection for. */
const ROLES = ['statistics', 'live', 'image', 'stream', 'container_log', 'bgtask'] as const;

/** `[redis]`, or what etcd says instead of it (state.md §1.1); `null` = no Redis. */
export function toRedisSettings({ redis }: ConfigValues): RedisSettings | null {
  const ca = redis['tls-ca'] === null ? undefined : readFileSync(redis['tls-ca'], 'utf8');
  const server = serverOf(redis, ca);
  if (server === undefined) return null;
  const others = ROLES.flatMap((role) => {
    const other = serverOf(redis['override-configs']?.[role] ?? {}, ca);
    return other === undefined ? [] : [[role, other] as const];
  });
  return { ...server, ...(others.length === 0 ? {} : { overrides: Object.fromEntries(others) }) };
}

function serverOf(keys: ServerKeys, ca: string | undefined): RedisServer | undefined {
  const sentinels = keys.sentinel ?? [];
  const address = keys.addr ?? sentinels[0];
  if (address === undefined) return undefined;
  const serviceName = keys['service-name'];
  const requestTimeoutMs = keys['request-timeout'];
  return {
    address,
    ...(sentinels.length === 0 ? {} : { sentinels }),
    ...(isSet(serviceName) ? { serviceName } : {}),
    ...(isSet(keys.password) ? { password: keys.password } : {}),
    ...(isSet(keys['sentinel-password']) ? { sentinelPassword: keys['sentinel-password'] } : {}),
    ...(keys['use-tls'] === true
      ? { tls: { skipVerify: keys['tls-skip-verify'] === true, ...(ca === undefined ? {} : { ca }) } }
      : {}),
    ...(requestTimeoutMs === null || requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  };
}

/** Nobody means an empty password or name. */
function isSet(text: string | null | undefined): text is string {
  return text !== null && text !== undefined && text !== '';
}
