import type { EtcdConfigSource } from '../adapters/etcd/etcd-config-source.adapter.js';
import type { EtcdSettings } from '../adapters/etcd/etcd-settings.js';
import type { Logger } from '../application/ports/logger.port.js';
import type { ConfigValues } from './config/config-schema.js';
import { readPem } from './read-pem.js';

/** The reference reads the group `default` where none is configured (state.md §5.2). */
const DEFAULT_GROUP = 'default';

/** etcd as the configuration names it; nothing is asked of it yet. Only then is its client read. */
export async function connectConfigSource(
  { etcd, agent }: ConfigValues,
  agentId: string,
  logger: Logger,
): Promise<EtcdConfigSource> {
  const { EtcdConfigSource } = await import('../adapters/etcd/etcd-config-source.adapter.js');
  const { user, password } = etcd;
  const tls = await tlsOf(etcd);
  const settings: EtcdSettings = {
    endpoints: etcd.addr.map(({ host, port }) => ({ host: host === '' ? '127.0.0.1' : host, port })),
    namespace: etcd.namespace,
    scopes: { agentId, resourceGroup: agent['initial-resource-group-name'] ?? DEFAULT_GROUP },
    // One without the other is what templates leave behind (state.md §5.1).
    ...(user && password ? { credentials: { user, password } } : {}),
    ...(tls === undefined ? {} : { tls }),
  };
  return new EtcdConfigSource(settings, logger.child({ component: 'etcd' }));
}

async function tlsOf(etcd: ConfigValues['etcd']): Promise<EtcdSettings['tls']> {
  const { 'tls-ca': ca, 'tls-cert': cert, 'tls-key': key, 'tls-skip-verify': skipVerify } = etcd;
  if (!(etcd.tls ?? (skipVerify || ca !== null || cert !== null))) return undefined;
  return {
    skipVerify,
    ...(ca === null ? {} : { ca: await readPem('etcd.tls-ca', ca) }),
    ...(cert === null || key === null
      ? {}
      : { client: { cert: await readPem('etcd.tls-cert', cert), key: await readPem('etcd.tls-key', key) } }),
  };
}
