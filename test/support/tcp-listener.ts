import { createServer } from 'node:net';

export interface TcpListener extends AsyncDisposable {
  readonly port: number;
}

/** Listens like any other program; port 0 is one of the system's choice. */
export function listenOn(host: string, port = 0, ipv6Only = false): Promise<TcpListener> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, ipv6Only }, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        [Symbol.asyncDispose]: () => new Promise((done) => server.close(() => done())),
      });
    });
  });
}

export async function freePort(): Promise<number> {
  await using listener = await listenOn('0.0.0.0');
  return listener.port;
}
