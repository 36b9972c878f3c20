import { Agent, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { addAbortSignal, Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type { z } from 'zod';
import { isAgentError, messageOf } from '../../domain/error/agent-error.js';
import { engineError } from '../../domain/error/errors.js';
import { EngineRefusal } from './docker-errors.js';
import type { DockerEndpoint } from './docker-endpoint.js';
import { readBody } from './engine-streams.js';

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the API version, each part already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Readonly<Record<string, unknown>>;
  /** A tar stream, instead of `body`. */
  readonly upload?: AsyncIterable<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The part of dockerode's transport that is used, without its `any`s. */
interface Modem {
  dial(
    options: {
      path: string;
      method: string;
      headers: Record<string, string>;
      options: { _query: object; _body: object };
      file?: NodeJS.ReadableStream;
      isStream: true;
      statusCodes: Record<number, true>;
      abortSignal: AbortSignal;
    },
    callback: (error: Error | null, response: unknown) => void,
  ): void;
}

const OLDEST_API = 41;
/** The newest API version whose answers were read for this adapter; a newer engine serves it too. */
const NEWEST_API = 47;
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** All of them: what a status means is decided here, and never by reading an unbounded body first. */
const everyStatus = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [i + 100, true as const]));

/**
 * Requests to one engine over dockerode's transport. Connections are not reused: a unix socket opens in microseconds,
 * and a connection kept over an engine restart would fail a request that must not be sent twice.
 */
export class EngineConnection {
  readonly #modem: Modem;
  #version: string | undefined;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(endpoint: DockerEndpoint) {
    this.#modem = new Docker(transportOptions(endpoint)).modem;
  }

  /** The engine's answer as JSON, checked by `schema`. */
  async json<T>(request: EngineRequest, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const response = await this.open(request, signal);
    return parseJson((await readBody(response, MAX_JSON_BYTES)).toString('utf8'), schema);
  }

  /** Asks for something whose answer's body does not matter. */
  async send(request: EngineRequest, signal: AbortSignal): Promise<void> {
    await readBody(await this.open(request, signal), MAX_JSON_BYTES);
  }

  /** The body of a successful answer as a stream, which ends with an error as soon as `signal` fires. */
  async open(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const version = await this.apiVersion(signal);
    try {
      return await this.#exchange({ ...request, path: `/v${version}${request.path}` }, signal);
    } catch (error) {
      // After a restart it may be another engine, with another version.
      if (!isAgentError(error) && !(error instanceof EngineRefusal)) this.#version = undefined;
      if (error instanceof EngineRefusal && /client version .* is too (new|old)/.test(error.reason)) {
        this.#version = undefined;
      }
      throw error;
    }
  }

  /** Milliseconds since the engine last answered anything. */
  get silentMs(): number {
    return performance.now() - this.#answeredAtMs;
  }

  /** Resolves when the engine answers at all, with its time in whole seconds as milliseconds since 1970. */
  async ping(signal: AbortSignal): Promise<number> {
    const response = await this.#exchange({ method: 'GET', path: '/_ping' }, signal);
    await readBody(response, MAX_ERROR_BYTES);
    const engineTime = Date.parse(response.headers.date ?? '');
    return Number.isNaN(engineTime) ? Date.now() - 1000 : engineTime;
  }

  /** The API version spoken with this engine: the newest that both sides know. */
  async apiVersion(signal: AbortSignal): Promise<string> {
    if (this.#version) return this.#version;
    const response = await this.#exchange({ method: 'GET', path: '/_ping' }, signal);
    const offered = /^1\.(\d+)$/.exec(String(response.headers['api-version'] ?? ''));
    await readBody(response, MAX_ERROR_BYTES);
    const minor = Number(offered?.[1] ?? Number.NaN);
    if (!(minor >= OLDEST_API)) {
      throw engineError(`The container engine is too old: API ${offered?.[0] ?? 'unknown'}`, {
        allowed: `API 1.${OLDEST_API} or newer (Docker 20.10)`,
        hint: 'Upgrade the container engine.',
      });
    }
    this.#version = `1.${Math.min(minor, NEWEST_API)}`;
    return this.#version;
  }

  async #exchange(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const upload = request.upload && new Upload(request.upload);
    try {
      const response = await this.#dial(request, upload?.stream, signal);
      this.#answeredAtMs = performance.now();
      const status = response.statusCode ?? 0;
      if (status < 300 || status === 304) return response;
      const body = await readBody(response, MAX_ERROR_BYTES);
      upload?.stream.destroy();
      throw new EngineRefusal(status, reasonOf(body));
    } catch (error) {
      upload?.stream.destroy();
      throw upload?.failure ?? error;
    }
  }

  #dial(request: EngineRequest, file: Readable | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.#modem.dial(
        {
          path: `${request.path}?`,
          method: request.method,
          headers: { ...request.headers },
          options: { _query: request.query ?? {}, _body: request.body ?? {} },
          ...(file && { file }),
          isStream: true,
          statusCodes: everyStatus,
          abortSignal: signal,
        },
        (error, response) => {
          if (error) {
            reject(error);
            return;
          }
          const message = response as IncomingMessage;
          // Somebody may have stopped reading when the connection breaks; the reader itself still gets the error.
          message.on('error', () => undefined);
          resolve(addAbortSignal(signal, message));
        },
      );
    });
  }
}

/** A tar stream on its way to the engine; remembers a failure of its source, which is not the engine's. */
class Upload {
  readonly stream: Readable;
  failure: Error | undefined;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.stream = Readable.from(this.#watched(source), { objectMode: false });
    this.stream.on('error', () => undefined);
  }

  async *#watched(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      this.failure = isAgentError(error)
        ? error
        : engineError(`The archive to send could not be read: ${messageOf(error)}`, { cause: error });
      throw error;
    }
  }
}

/** Checks what the engine sent. @throws ContainerEngineError naming the first field that is wrong. */
export function parseJson<T>(text: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw engineError('The container engine sent an answer that is not JSON', { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw engineError(
    `The container engine sent an answer that cannot be understood: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
  );
}

function reasonOf(body: Buffer): string {
  const text = body.toString('utf8').trim();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && 'message' in value) return String(value.message);
  } catch {
    // Proxies and very old engines answer in plain text.
  }
  return text.slice(0, 1000);
}

/** Every field is set, so that dockerode takes none of them from the environment by itself. */
function transportOptions(endpoint: DockerEndpoint): Docker.DockerOptions {
  const none = { host: undefined, port: undefined, socketPath: undefined, timeout: undefined };
  const options =
    endpoint.kind === 'unix'
      ? { ...none, protocol: 'http', socketPath: endpoint.socketPath, agent: new Agent({ keepAlive: false }) }
      : {
          ...none,
          host: endpoint.host,
          port: endpoint.port,
          protocol: endpoint.tls ? 'https' : 'http',
          agent: endpoint.tls ? new TlsAgent({ keepAlive: false, ...endpoint.tls }) : new Agent({ keepAlive: false }),
        };
  // The transport prints its options for its debug log with every request, whether or not that is on; an agent in full
  // takes a millisecond and more.
  Object.assign(options.agent, { [inspect.custom]: () => 'Agent' });
  const all: object = { pathPrefix: '/', ca: undefined, cert: undefined, key: undefined, ...options };
  return all;
}
