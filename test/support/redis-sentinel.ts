import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { type RedisHost, startRedisHost } from './redis-host.js';

const SERVICE = 'mymaster';
const WAIT_MS = 20_000;

/** A connection for the test itself; errors are no matter, since its servers come and go. */
export function adminOf({ port }: RedisHost, options: object = {}): Redis {
  const redis = new Redis(port, '127.0.0.1', { db: 4, replyMapping: 'legacy', ...options });
  redis.on('error', () => undefined);
  return redis;
}

/** A master, its replica, and a Sentinel that knows both. */
export class SentinelTrio implements AsyncDisposable {
  readonly service = SERVICE;
  private readonly admin: Redis;

  private constructor(
    readonly master: RedisHost,
    readonly replica: RedisHost,
    readonly sentinel: RedisHost,
  ) {
    this.admin = adminOf(replica);
  }

  static async start(): Promise<SentinelTrio> {
    const config = ['repl-diskless-sync-delay 0'];
    const master = await startRedisHost({ config });
    const replica = await startRedisHost({ config: [...config, `replicaof 127.0.0.1 ${master.port}`] });
    const sentinel = await startRedisHost({
      sentinel: true,
      config: [
        `sentinel monitor ${SERVICE} 127.0.0.1 ${master.port} 1`,
        `sentinel down-after-milliseconds ${SERVICE} 500`,
        `sentinel failover-timeout ${SERVICE} 3000`,
      ],
    });
    const trio = new SentinelTrio(master, replica, sentinel);
    await trio.knowEachOther();
    return trio;
  }

  /** Until the replica has taken over from a master that was killed. */
  async failedOver(): Promise<void> {
    await vi.waitUntil(async () => (await this.admin.role())[0] === 'master', WAIT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.admin.disconnect();
    for (const server of [this.sentinel, this.replica, this.master]) await server[Symbol.asyncDispose]();
  }

  private async knowEachOther(): Promise<void> {
    await vi.waitUntil(async () => (await this.admin.info('replication')).includes('master_link_status:up'), WAIT_MS);
    await vi.waitUntil(async () => {
      const client = adminOf(this.sentinel, { db: 0, maxRetriesPerRequest: 1 });
      const replicas = await client.call('SENTINEL', 'REPLICAS', SERVICE).finally(() => client.disconnect());
      return (replicas as readonly unknown[]).length === 1;
    }, WAIT_MS);
  }
}
