import { SystemClock } from '../../src/adapters/host/system-clock.adapter.js';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../src/adapters/http/http-server.js';
import type { UseCases } from '../../src/application/use-cases.js';
import { MemoryLogger } from './memory-logger.js';

export const TOKEN = 'a-token-for-tests-0123456789abcdef';

export interface StartedServer extends HttpServer {
  readonly url: string;
  readonly logged: MemoryLogger['lines'];
  /** Metric name → how often it was counted. */
  readonly counted: Map<string, number>;
  /** A request with the token; resolves with the parsed body. */
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

/** A server on real sockets of 127.0.0.1, with ids that count up from 1. */
export async function startServer(
  useCases: UseCases,
  options: Partial<HttpServerOptions> = {},
): Promise<StartedServer> {
  const logger = new MemoryLogger();
  const counted = new Map<string, number>();
  let id = 0;
  const server = createHttpServer({
    ...{ useCases, token: TOKEN, logger, clock: new SystemClock() },
    metrics: () => Promise.resolve('the_metrics 1\n'),
    telemetry: {
      ...{ observe: () => undefined, gauge: () => undefined, remove: () => undefined },
      count: (name) => void counted.set(name, (counted.get(name) ?? 0) + 1),
    },
    ids: {
      uuid: () => `00000000-0000-4000-8000-${String(++id).padStart(12, '0')}`,
      hex: (bytes) => 'ab'.repeat(bytes),
    },
    listen: [{ host: '127.0.0.1', port: 0 }],
    ...options,
  });
  await server.start();
  const address = server.addresses[0] ?? { host: '', port: 0 };
  const url = `http://${address.host}:${address.port}`;
  return {
    ...{ url, logged: logger.lines, counted, addresses: server.addresses },
    start: () => server.start(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    call: async (method, path, body) => {
      const response = await fetch(url + path, {
        method,
        headers: {
          'x-backendai-watcher-token': TOKEN,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    },
  };
}
