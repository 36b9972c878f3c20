import { Redis } from 'ioredis';
import type { RedisServer } from '../../src/adapters/redis/redis-settings.js';

/** An entry of the stream as a Manager got it. */
export interface ReadEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Shorter than a call may take; a Manager waits ten seconds. */
const BLOCK_MS = 300;

/**
 * Reads the stream like a Manager's worker (state.md §2.1): its group, made at the end of the stream, `batch` entries at a
 * time, waiting in the server while there are none.
 */
export class ManagerReader implements AsyncDisposable {
  readonly read: ReadEntry[] = [];
  /** Resolves once the group is there: what is sent before that and not kept is never read. */
  readonly begun: Promise<void>;
  readonly #redis: Redis;
  readonly #ids = new Set<string>();
  readonly #running: Promise<void>;
  #isStopped = false;
  #begin = (): void => undefined;

  constructor(
    server: Pick<RedisServer, 'address' | 'password'>,
    private readonly pace: { readonly batch: number; readonly pauseMs: number } = { batch: 64, pauseMs: 5 },
    /** File of its socket, for a server that no address leads to. */
    socket?: string,
  ) {
    const { host, port } = server.address;
    this.#redis = new Redis(port, host, {
      ...{
        db: 4,
        replyMapping: 'legacy',
        retryStrategy: () => 50,
        maxLoadingRetryTime: 50,
        maxRetriesPerRequest: 0,
        commandTimeout: 500,
      },
      ...(server.password === undefined ? {} : { password: server.password }),
      ...(socket === undefined ? {} : { path: socket }),
    });
    this.#redis.on('error', () => undefined);
    this.begun = new Promise((resolve) => (this.#begin = resolve));
    this.#running = this.#run();
  }

  /** Bodies of generation B of one event, in the order of reading. */
  payloads<T>(name: string): T[] {
    const entries = this.read.filter(({ fields }) => fields['name'] === name);
    return entries.map(({ fields }) => JSON.parse(fields['payload'] ?? '') as T);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#redis.disconnect();
  }

  async #run(): Promise<void> {
    let isSure = false;
    while (!this.#isStopped) {
      try {
        // An answer that was lost on its way is asked for again.
        if (!isSure) await this.#take('0');
        isSure = true;
        this.#begin();
        await this.#take('>');
      } catch (error) {
        isSure = false;
        if ((error as Error).message.includes('NOGROUP')) await this.#makeGroup();
      }
      await new Promise((resolve) => setTimeout(resolve, this.pace.pauseMs));
    }
  }

  async #take(from: '0' | '>'): Promise<void> {
    const group = ['GROUP', 'manager', 'one', 'COUNT', this.pace.batch] as const;
    const reply = await this.#redis.xreadgroup(...group, 'BLOCK', BLOCK_MS, 'STREAMS', 'events', from);
    const entries = reply?.[0]?.[1] ?? [];
    for (const [id, flat] of entries) {
      // What was cut off meanwhile has no fields any more.
      if (flat === null || this.#ids.has(id)) continue;
      this.#ids.add(id);
      const pairs = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ''] as const] : []));
      this.read.push({ id, fields: Object.fromEntries(pairs) });
    }
    if (entries.length > 0) await this.#redis.xack('events', 'manager', ...entries.map(([id]) => id));
  }

  async #makeGroup(): Promise<void> {
    await this.#redis.xgroup('CREATE', 'events', 'manager', '$', 'MKSTREAM').catch(() => undefined);
  }
}
