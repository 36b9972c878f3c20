import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on loopback that resets connections at random while it is in a mood. */
export interface MoodyProxy extends AsyncDisposable {
  readonly port: number;
  isMoody: boolean;
}

const SHORTEST_MS = 5;
const LONGEST_MS = 150;

/** A seed makes the moods of a run repeatable. */
export async function startMoodyProxy(targetPort: number, seed = 1): Promise<MoodyProxy> {
  const sockets = new Set<Socket>();
  const random = generator(seed);
  const proxy = { isMoody: false };
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: targetPort });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
    const reset = (): void => {
      if (client.destroyed) return;
      if (proxy.isMoody) client.resetAndDestroy();
      else setTimeout(reset, LONGEST_MS).unref();
    };
    setTimeout(reset, SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS)).unref();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}

/** Numbers from 0 to 1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
