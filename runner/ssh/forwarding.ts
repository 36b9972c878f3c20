import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Connection } from 'ssh2';

const CONNECT_MS = 10_000;
const MAX_LISTENERS = 32;

/** Port forwarding both ways (`-L`, `-D`, `-R`), and to UNIX sockets in the kernel. */
export function serveForwarding(client: Connection): void {
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    bridge(connect({ host: destIP, port: destPort, timeout: CONNECT_MS }), accept, reject);
  });
  client.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    bridge(connect({ path: socketPath }), accept, reject);
  });
  serveReverseForwarding(client);
}

type Channel = NodeJS.ReadWriteStream & { destroy(): void };

function bridge(socket: Socket, accept: () => Channel | undefined, reject: () => void): void {
  const refuse = (): void => {
    socket.destroy();
    reject();
  };
  socket.once('error', refuse);
  socket.once('timeout', refuse);
  socket.once('connect', () => {
    socket.off('error', refuse).off('timeout', refuse).setTimeout(0).setNoDelay(true);
    const channel = accept();
    if (channel) join(socket, channel);
    else socket.destroy();
  });
}

function join(socket: Socket, channel: Channel): void {
  socket.on('error', () => channel.destroy());
  channel.on('error', () => socket.destroy());
  channel.on('close', () => socket.destroy());
  socket.pipe(channel);
  channel.pipe(socket);
}

/** Listens on the loopback only, as OpenSSH does unless it is told otherwise. */
function serveReverseForwarding(client: Connection): void {
  const listeners = new Map<string, Server>();
  client.on('close', () => {
    for (const server of listeners.values()) server.close();
  });
  client.on('request', (accept, reject, name: string, info) => {
    if (name === 'cancel-tcpip-forward') {
      const key = `${info.bindAddr}:${info.bindPort}`;
      listeners.get(key)?.close();
      if (listeners.delete(key)) accept?.();
      else reject?.();
      return;
    }
    if (name !== 'tcpip-forward' || listeners.size >= MAX_LISTENERS) {
      reject?.();
      return;
    }
    const server = createServer((socket) => {
      const { remoteAddress = '127.0.0.1', remotePort = 0 } = socket;
      socket.on('error', () => socket.destroy());
      client.forwardOut(info.bindAddr, bound, remoteAddress, remotePort, (error, channel) => {
        if (error) socket.destroy();
        else join(socket, channel);
      });
    });
    let bound = info.bindPort;
    server.once('error', () => reject?.());
    server.listen(info.bindPort, '127.0.0.1', () => {
      const address = server.address();
      if (typeof address === 'object' && address) bound = address.port;
      listeners.set(`${info.bindAddr}:${bound}`, server);
      accept?.(bound);
    });
  });
}
