import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { IAuthenticateResponse, IWatchResponse } from 'etcd3';
import { Host } from 'etcd3/lib/connection-pool.js';
import { isAuthOff, isAway, isTimeout, isTokenRefused, toAgentError } from './etcd-errors.js';
import type { EtcdSettings } from './etcd-settings.js';

/** A request ends within this time, its repetitions included (state.md §5.1). */
export const REQUEST_MS = 5_000;
/** Pauses before a request is repeated because nobody answered. */
const RETRY_PAUSES_MS = [50, 100, 200];

/** etcd refuses clients that ping more often than every five seconds. */
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.enable_http_proxy': 0,
};

type Unary = (
  request: unknown,
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | null, reply?: unknown) => void,
) => ClientUnaryCall;

type WatchStream = ClientDuplexStream<unknown, IWatchResponse>;

/**
 * One kept connection to whichever of several endpoints answers. The stubs and their channels are etcd3's; its pool is
 * not used, since it can neither end a call early nor limit how often it asks for a new token, nor skip verification.
 */
export class EtcdConnection implements Disposable {
  readonly #hosts: readonly { readonly name: string; readonly host: Host }[];
  readonly #credentials: EtcdSettings['credentials'];
  #current = 0;
  #token: string | null | undefined;

  constructor({ endpoints, tls, credentials: user }: EtcdSettings) {
    const channel = channelCredentials(tls);
    this.#hosts = endpoints.map(({ host, port }) => {
      const name = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
      return { name, host: new Host(name, channel, CHANNEL_OPTIONS) };
    });
    this.#credentials = user;
  }

  [Symbol.dispose](): void {
    for (const { host } of this.#hosts) host.close();
  }

  /**
   * One request. Repeated while nobody answers, on the next endpoint, within five seconds in all; rejects with an
   * AgentError, or at once with the reason of `signal`.
   */
  async call<T>(service: 'KV' | 'Lease' | 'Auth', method: string, request: unknown, signal: AbortSignal): Promise<T> {
    const until = Date.now() + REQUEST_MS;
    let renewed = false;
    for (let attempt = 0; ;) {
      signal.throwIfAborted();
      const endpoint = this.#endpoint;
      try {
        const metadata = await this.#metadata(endpoint.host, until, signal);
        return (await this.#once(endpoint.host, service, method, request, { metadata, until, signal })) as T;
      } catch (error) {
        signal.throwIfAborted();
        if (isTokenRefused(error) && !renewed) {
          renewed = true;
          this.#token = undefined;
          continue;
        }
        if (!isAway(error)) throw toAgentError(error, endpoint.name);
        this.#leave(endpoint, error);
        const pause = RETRY_PAUSES_MS[attempt];
        if (pause === undefined || Date.now() + pause >= until) throw toAgentError(error, endpoint.name);
        attempt += 1;
        await sleep(pause, undefined, { signal });
      }
    }
  }

  /** A stream for watches at the endpoint that answered last. Whoever opens it cancels it. */
  async watchStream(signal: AbortSignal): Promise<WatchStream> {
    const { host } = this.#endpoint;
    const metadata = await this.#metadata(host, Date.now() + REQUEST_MS, signal);
    const client = host.getServiceClient('Watch') as unknown as { watch(metadata: Metadata): WatchStream };
    return client.watch(metadata);
  }

  get #endpoint() {
    const endpoint = this.#hosts[this.#current % this.#hosts.length];
    if (endpoint === undefined) throw new Error('etcd without endpoints');
    return endpoint;
  }

  /** The next request goes elsewhere. A peer that is silent gets a new connection when its turn comes again. */
  #leave(endpoint: { readonly host: Host }, error: unknown): void {
    if (endpoint !== this.#endpoint) return;
    if (isTimeout(error)) endpoint.host.resetAllServices();
    this.#current = (this.#current + 1) % this.#hosts.length;
  }

  async #metadata(host: Host, until: number, signal: AbortSignal): Promise<Metadata> {
    const metadata = new Metadata();
    if (this.#credentials === undefined) return metadata;
    this.#token ??= await this.#authenticate(host, this.#credentials, until, signal);
    if (this.#token !== null) metadata.set('token', this.#token);
    return metadata;
  }

  async #authenticate(
    host: Host,
    { user, password }: { readonly user: string; readonly password: string },
    until: number,
    signal: AbortSignal,
  ): Promise<string | null> {
    try {
      const call = { metadata: new Metadata(), until, signal };
      const reply = await this.#once(host, 'Auth', 'authenticate', { name: user, password }, call);
      return (reply as IAuthenticateResponse).token;
    } catch (error) {
      if (isAuthOff(error)) return null;
      throw error;
    }
  }

  #once(
    host: Host,
    service: 'KV' | 'Lease' | 'Auth',
    method: string,
    request: unknown,
    call: { readonly metadata: Metadata; readonly until: number; readonly signal: AbortSignal },
  ): Promise<unknown> {
    const { metadata, until, signal } = call;
    // With several endpoints one that hangs must leave time for another.
    const deadline = Math.min(until, Date.now() + REQUEST_MS / Math.min(this.#hosts.length, 3));
    return new Promise((resolve, reject) => {
      const client = host.getServiceClient(service) as unknown as Readonly<Record<string, Unary | undefined>>;
      const running = client[method]?.(request, metadata, { deadline }, (error, reply) => {
        signal.removeEventListener('abort', cancel);
        if (error === null) resolve(reply);
        else reject(error);
      });
      const cancel = (): void => running?.cancel();
      signal.addEventListener('abort', cancel, { once: true });
    });
  }
}

function channelCredentials(tls: EtcdSettings['tls']): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const pem = (document: Uint8Array | undefined): Buffer | null =>
    document === undefined ? null : Buffer.from(document);
  return credentials.createSsl(pem(tls.ca), pem(tls.client?.key), pem(tls.client?.cert), {
    rejectUnauthorized: !tls.skipVerify,
  });
}
