import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { addressInUse, configurationInvalid } from '../../domain/error/errors.js';
import { messageOf } from '../../domain/error/agent-error.js';

export interface ListenAddress {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM texts. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
}

/** A client has so long to send its headers and its whole request. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 1_024;

/** One bound address that serves `handler`. */
export class Listener {
  readonly #server: Server;
  readonly #configured: ListenAddress;

  private constructor(server: Server, configured: ListenAddress) {
    this.#server = server;
    this.#configured = configured;
  }

  /** Rejects with AddressInUseError, or ConfigurationError for an address or certificate that cannot be used. */
  static async bind(address: ListenAddress, handler: RequestListener): Promise<Listener> {
    const limits = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, noDelay: true };
    try {
      const server =
        address.tls === undefined
          ? createServer(limits, handler)
          : createTlsServer({ ...limits, cert: address.tls.cert, key: address.tls.key }, handler);
      server.maxConnections = MAX_CONNECTIONS;
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: address.host, port: address.port }, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return new Listener(server, address);
    } catch (error) {
      throw bindFailure(error, address);
    }
  }

  /** What it is bound to, with the real port. */
  get address(): { readonly host: string; readonly port: number } {
    const bound = this.#server.address() as AddressInfo | null;
    return { host: this.#configured.host, port: bound?.port ?? this.#configured.port };
  }

  /** Takes no new connections, and resolves when the last one is closed. */
  async drain(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }

  /** Cuts the connections that are still there. */
  cut(): void {
    this.#server.closeAllConnections();
  }
}

function bindFailure(error: unknown, { host, port }: ListenAddress): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const field = 'service-addr';
  if (code === 'EADDRINUSE') {
    return addressInUse(`the HTTP address ${host}:${port} is in use by another program`, {
      field,
      hint: `stop what listens there (ss -ltnp 'sport = :${port}' shows it; another agent?), or change [watcher] service-addr`,
      cause: error,
    });
  }
  const hint =
    code === 'EACCES' ? 'ports below 1024 need root' : 'check the address, and the certificate and key if TLS is on';
  return configurationInvalid(`cannot listen for HTTP on ${host}:${port}: ${messageOf(error)}`, {
    field,
    hint,
    cause: error,
  });
}
