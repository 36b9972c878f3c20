import type { Socket } from 'node:net';
import { SshService } from './ssh-service.js';
import type { SshOrder } from './ssh-gate.js';

/** Without a connection for so long the process asks to go. */
const IDLE_MS = 60_000;
const MAX_CONNECTIONS = 256;

/** Serves the connections that the gate hands over, until it has been idle for a while or the gate is gone. */
export function serve(): void {
  let service: SshService | undefined;
  let open = 0;
  let idle: NodeJS.Timeout | undefined;
  const rest = (): void => {
    if (open > 0) return;
    if (!process.connected) process.exit(0);
    clearTimeout(idle);
    idle = setTimeout(() => process.send?.('idle'), IDLE_MS);
  };
  process.on('message', (message: unknown, socket: Socket | undefined) => {
    if (message !== 'connection') {
      service = new SshService(message as SshOrder);
      return;
    }
    if (!socket) return;
    if (!service || open >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    clearTimeout(idle);
    open += 1;
    socket.once('close', () => {
      open -= 1;
      rest();
    });
    service.accept(socket);
  });
  process.on('disconnect', rest);
  // One connection's trouble is not that of the others.
  process.on('uncaughtException', (error) => process.stderr.write(`krunner: [WARNING] sshd: ${error.message}\n`));
}
