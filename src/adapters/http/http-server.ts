import type { Clock } from '../../application/ports/clock.port.js';
import type { IdGenerator } from '../../application/ports/id-generator.port.js';
import type { Logger } from '../../application/ports/logger.port.js';
import type { Telemetry } from '../../application/ports/telemetry.port.js';
import type { UseCases } from '../../application/use-cases.js';
import { createHttpApplication, type HttpApplication } from './http-application.js';
import type { EventStreamLimits } from './http-context.js';
import { type ListenAddress, Listener } from './listener.js';

export interface HttpServerOptions {
  readonly useCases: UseCases;
  /** All metrics in Prometheus text format 0.0.4. */
  readonly metrics: () => Promise<string>;
  readonly telemetry: Telemetry;
  /** Of the Watcher API; an empty one admits nobody. */
  /** One, or several of which each is taken. */
  readonly token: string | readonly string[];
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** All serve the same application; an address that is listed twice is bound once. */
  readonly listen: readonly ListenAddress[];
  readonly eventStreamLimits?: Partial<EventStreamLimits>;
}

export interface HttpServer extends AsyncDisposable {
  /** Resolves when all addresses are bound. Rejects with AddressInUseError or ConfigurationError, with none bound. */
  start(): Promise<void>;
  /** In the order of the options, with real port numbers; empty before `start`. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

const EVENT_STREAM_LIMITS: EventStreamLimits = {
  maxBufferedBytes: 4 * 1_048_576,
  maxStreams: 64,
  heartbeatMs: 15_000,
};
/** At closing, calls that are being answered have so long to end. */
const DRAIN_MS = 2_000;

/**
 * The Watcher API (HTTP on 6009). Disposing it takes no more connections, aborts the calls in hand (a kernel that is
 * being created is undone) and returns within two seconds or so.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new NestHttpServer(options);
}

class NestHttpServer implements HttpServer {
  readonly #options: HttpServerOptions;
  readonly #closing = new AbortController();
  #application: HttpApplication | undefined;
  #listeners: readonly Listener[] = [];

  constructor(options: HttpServerOptions) {
    this.#options = options;
  }

  get addresses(): HttpServer['addresses'] {
    return this.#listeners.map(({ address }) => address);
  }

  async start(): Promise<void> {
    const { token, listen, eventStreamLimits, ...parts } = this.#options;
    const limits = { ...EVENT_STREAM_LIMITS, ...eventStreamLimits };
    const context = { ...parts, closing: this.#closing.signal, eventStreamLimits: limits };
    this.#application = await createHttpApplication(context, token);
    const bound: Listener[] = [];
    try {
      for (const address of distinct(listen)) {
        bound.push(await Listener.bind(address, this.#application.fastify.routing));
      }
    } catch (error) {
      await Promise.all(bound.map((listener) => listener.drain()));
      throw error;
    }
    this.#listeners = bound;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(Object.assign(new Error('the agent stops'), { name: 'AbortError' }));
    const drained = Promise.all(this.#listeners.map((listener) => listener.drain()));
    const patience = this.#options.clock.deadline(DRAIN_MS);
    const cut = (): void => this.#listeners.forEach((listener) => listener.cut());
    patience.signal.addEventListener('abort', cut, { once: true });
    await drained;
    patience[Symbol.dispose]();
    await this.#application?.nest.close();
    this.#listeners = [];
  }
}

function distinct(addresses: readonly ListenAddress[]): ListenAddress[] {
  const seen = new Map(addresses.map((address) => [`${address.host}:${address.port}`, address]));
  // Port 0 asks for a different port each time.
  return addresses.filter((address) => address.port === 0 || seen.get(`${address.host}:${address.port}`) === address);
}
