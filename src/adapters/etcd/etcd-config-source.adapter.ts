import { setTimeout as sleep } from 'node:timers/promises';
import { type IKeyValue, type ILeaseGrantResponse, type IRangeResponse, type ITxnResponse, Range } from 'etcd3';
import type { ConfigEntry, ConfigScope, ConfigSource } from '../../application/ports/config-source.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import { messageOf } from '../../domain/error/agent-error.js';
import { configSourceFailure } from '../../domain/error/errors.js';
import { EtcdConnection } from './etcd-connection.js';
import { EtcdKeys, entriesBelow, mergeShallow, SCOPES, type StoredValue } from './etcd-keys.js';
import type { EtcdSettings } from './etcd-settings.js';
import { looksAfterChanges } from './etcd-watch.js';

/** A prefix with more keys is not one of ours. */
const MAX_KEYS = 10_000;
const MIN_WATCH_PAUSE_MS = 500;
const MAX_WATCH_PAUSE_MS = 3_000;
/** Asked for by health checks; nobody writes it (state.md §9.2). */
const PROBE_KEY = '_';

/** Cluster configuration in etcd 3.4 and later (state.md §5). Every request ends within five seconds. */
export class EtcdConfigSource implements ConfigSource, Disposable {
  readonly #connection: EtcdConnection;
  readonly #keys: EtcdKeys;
  readonly #logger: Logger;

  constructor(settings: EtcdSettings, logger: Logger) {
    this.#connection = new EtcdConnection(settings);
    this.#keys = new EtcdKeys(settings.namespace, settings.scopes);
    this.#logger = logger;
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  async get(path: string, signal: AbortSignal): Promise<string | undefined> {
    const found = await this.#ranges(
      SCOPES.map((scope) => ({ key: Buffer.from(this.#keys.full(scope, path)) })),
      signal,
    );
    const [first] = found.flatMap(({ kvs }) => kvs);
    return first === undefined ? undefined : stored(first).value;
  }

  async getPrefix(prefix: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const entries = await this.getEntries(prefix, signal);
    return Object.fromEntries(entries.map(({ path, value }) => [path.join('/'), value]));
  }

  async getEntries(prefix: string, signal: AbortSignal): Promise<readonly ConfigEntry[]> {
    const prefixes = SCOPES.map((scope) => this.#keys.full(scope, prefix));
    const found = await this.#ranges(prefixes.map(rangeOf), signal);
    return mergeShallow(found.map((reply, index) => entriesOf(prefixes[index] ?? '', reply)));
  }

  async put(
    path: string,
    value: string,
    options: { readonly scope: ConfigScope; readonly ttlSeconds?: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { scope, ttlSeconds } = options;
    const lease = ttlSeconds === undefined ? undefined : await this.#grant(ttlSeconds, signal);
    const key = Buffer.from(this.#keys.full(scope, path));
    const request = { key, value: Buffer.from(value), ...(lease === undefined ? {} : { lease }) };
    await this.#connection.call('KV', 'put', request, signal);
  }

  async delete(path: string, scope: ConfigScope, signal: AbortSignal): Promise<void> {
    await this.#connection.call('KV', 'deleteRange', { key: Buffer.from(this.#keys.full(scope, path)) }, signal);
  }

  async deletePrefix(prefix: string, scope: ConfigScope, signal: AbortSignal): Promise<void> {
    const { start, end } = Range.prefix(`${this.#keys.full(scope, prefix)}/`);
    await this.#connection.call('KV', 'deleteRange', { key: start, range_end: end }, signal);
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncIterable<readonly ConfigEntry[]> {
    const key = this.#keys.full('global', prefix);
    const range = rangeOf(key);
    let pauseMs = MIN_WATCH_PAUSE_MS;
    let told = false;
    while (!isAborted(signal)) {
      try {
        const first = await this.#range(range, signal);
        if (told) this.#logger.info('a watch on etcd is back', { prefix });
        told = false;
        yield entriesOf(key, first);
        const watched = {
          ...{ start: range.key, end: range.range_end },
          revision: String(BigInt(first.header.revision) + 1n),
        };
        const look = () => this.#range(range, signal);
        for await (const reply of looksAfterChanges(this.#connection, watched, look, signal)) {
          pauseMs = MIN_WATCH_PAUSE_MS;
          yield entriesOf(key, reply);
        }
      } catch (error) {
        if (isAborted(signal)) return;
        if (!told) this.#logger.warn('a watch on etcd broke; trying on', { prefix, error: messageOf(error) });
        told = true;
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, MAX_WATCH_PAUSE_MS);
      }
    }
  }

  async probe(signal: AbortSignal): Promise<number> {
    const began = performance.now();
    await this.#range({ key: Buffer.from(this.#keys.full('global', PROBE_KEY)) }, signal);
    return performance.now() - began;
  }

  #range(request: RangeRequest, signal: AbortSignal): Promise<IRangeResponse> {
    return this.#connection.call<IRangeResponse>('KV', 'range', request, signal);
  }

  /** All as of the same revision, in one round trip. */
  async #ranges(requests: readonly RangeRequest[], signal: AbortSignal): Promise<readonly IRangeResponse[]> {
    const success = requests.map((request) => ({ request_range: request }));
    const { responses } = await this.#connection.call<ITxnResponse>('KV', 'txn', { success }, signal);
    return responses.map((reply) => reply.response_range);
  }

  /** A lease for this one value: nothing has to be kept alive, and what is not written again goes away by itself. */
  async #grant(ttlSeconds: number, signal: AbortSignal): Promise<string> {
    const reply = await this.#connection.call<ILeaseGrantResponse>(
      'Lease',
      'leaseGrant',
      { TTL: ttlSeconds, ID: 0 },
      signal,
    );
    return reply.ID;
  }
}

interface RangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit?: number;
}

function rangeOf(prefix: string): Required<RangeRequest> {
  const { start, end } = Range.prefix(prefix);
  return { key: start, range_end: end, limit: MAX_KEYS };
}

function entriesOf(prefix: string, { kvs, more }: IRangeResponse): readonly ConfigEntry[] {
  if (more) throw configSourceFailure(`etcd has more than ${MAX_KEYS} keys below ${prefix}`);
  return entriesBelow(prefix, kvs.map(stored));
}

function stored({ key, value }: IKeyValue): StoredValue {
  return { key: key.toString('utf8'), value: value.toString('utf8') };
}

/** A call, so that the compiler does not take the signal for unchanged across an `await`. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
