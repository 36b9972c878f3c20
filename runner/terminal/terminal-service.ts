import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Environment } from '../boot/child-environment.js';
import type { GatedService, Keep } from '../gate/behind-gate.js';
import { Connection } from './connection.js';
import { isSameSite } from './origin.js';
import { Shells } from './shells.js';
import { SUBPROTOCOL } from './wire.js';

/** What the process behind the gate is told. */
export interface TerminalOrder {
  /** Of the programs that users start. */
  readonly env: Environment;
}

/** The page in its two forms. */
export interface Page {
  readonly html: Buffer;
  readonly gzip: Buffer;
}

/** Of what a user pastes at once. */
const MAX_MESSAGE_BYTES = 16 << 20;
const SILENCE_MS = 60_000;

/** The terminal in a browser: a page, and ttyd's protocol for it and for others (krunner.md §5.7). It has no login of its own. */
export class TerminalService implements GatedService {
  private readonly http: Server;
  private readonly shells: Shells;
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });

  constructor(
    { env }: TerminalOrder,
    keep: Keep,
    private readonly page: Page,
  ) {
    this.shells = new Shells(env, keep);
    this.http = createServer((request, response) => this.answer(request, response));
    this.http.setTimeout(SILENCE_MS);
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  accept(socket: Socket): void {
    this.http.emit('connection', socket);
  }

  hangUp(): Promise<void> {
    return this.shells.hangUp();
  }

  private answer({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(url);
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/') {
      const zipped = /\bgzip\b/.test(headers['accept-encoding'] ?? '');
      response
        .writeHead(200, {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-cache',
          vary: 'accept-encoding',
          ...(zipped ? { 'content-encoding': 'gzip' } : {}),
        })
        .end(zipped ? this.page.gzip : this.page.html);
    } else if (path === '/token') {
      response.writeHead(200, { 'content-type': 'application/json;charset=utf-8' }).end('{"token": ""}');
    } else {
      response.writeHead(404).end();
    }
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    if (pathOf(request.url) !== '/ws') refuse(socket, '404 Not Found');
    else if (!isSameSite(request.headers)) refuse(socket, '403 Forbidden');
    else this.sockets.handleUpgrade(request, socket, head, (client) => new Connection(client, this.shells));
  }
}

const pathOf = (url = ''): string => url.split('?', 1)[0] ?? '';

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
