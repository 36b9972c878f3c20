import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

/**
 * A unix socket in front of the engine's. It cuts, refuses and freezes connections, so that an engine that stops,
 * restarts or hangs can be tried without stopping the machine's own. One connection carries one request.
 */
export class EngineProxy implements AsyncDisposable {
  readonly socketPath = join(tmpdir(), `engine-proxy-${randomUUID()}.sock`);
  /** First lines of the requests so far. */
  readonly requests: string[] = [];
  /** Closes new connections at once. */
  refusing = false;
  /** Requests, by their first line, that are taken and never answered. */
  stalling: (request: string) => boolean = () => false;
  /**
   * What is not told of the past: `look-back` = nothing to a question about a span of time, `all` = nothing at all,
   * like an engine after its restart.
   */
  forgets: 'nothing' | 'look-back' | 'all' = 'nothing';
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(private readonly target: string) {
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(target = '/var/run/docker.sock'): Promise<EngineProxy> {
    const proxy = new EngineProxy(target);
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Cuts all connections that are open now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops passing on data on all connections that are open now, without closing them. */
  freeze(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  #serve(client: Socket): void {
    this.#track(client);
    if (this.refusing) {
      client.destroy();
      return;
    }
    client.once('data', (first) => {
      const line = first.toString('latin1').split('\r\n')[0] ?? '';
      this.requests.push(line);
      if (this.stalling(line)) return;
      if (this.forgets !== 'nothing' && /\/events\?.*\buntil=/.test(line)) {
        client.end(
          'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
        );
        return;
      }
      const engine = connect(this.target);
      this.#track(engine);
      const now = `since=${(Date.now() / 1000).toFixed(3)}`;
      engine.write(this.forgets === 'all' ? first.toString('latin1').replace(/\bsince=[\d.]+/, now) : first, 'latin1');
      client.pipe(engine).pipe(client);
      client.once('close', () => engine.destroy());
      engine.once('close', () => client.destroy());
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await rm(this.socketPath, { force: true });
  }
}
