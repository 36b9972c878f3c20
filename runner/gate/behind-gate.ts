import type { Socket } from 'node:net';
import type { GatedMessage, Handover } from './gated-process.js';

/** With nothing to do for so long the process asks to go. */
const IDLE_MS = 60_000;
const MAX_CONNECTIONS = 256;

/** The service that a process behind a gate runs. */
export interface GatedService {
  accept(socket: Socket): void;
}

/** Keeps the process alive for what is more than a connection; the result gives it up again. */
export type Keep = () => () => void;

/** Serves the connections that the gate hands over, until there has been nothing to do for a while or the gate is gone. `make` gets the gate's order. */
export function serveBehindGate(name: string, make: (order: never, keep: Keep) => GatedService): void {
  let service: GatedService | undefined;
  let connections = 0;
  let kept = 0;
  let idle: NodeJS.Timeout | undefined;
  const rest = (): void => {
    clearTimeout(idle);
    if (connections + kept > 0) return;
    if (!process.connected) process.exit(0);
    idle = setTimeout(() => tell('idle'), IDLE_MS);
  };
  const keep: Keep = () => {
    kept += 1;
    rest();
    return () => {
      kept -= 1;
      rest();
    };
  };
  process.on('message', (message: unknown, socket: Socket | undefined) => {
    if (!isHandover(message)) {
      service = make(message as never, keep);
      return;
    }
    tell({ taken: message.connection });
    // One that was closed on the way.
    if (!socket) return;
    if (!service || connections >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    connections += 1;
    rest();
    socket.once('close', () => {
      connections -= 1;
      rest();
    });
    service.accept(socket);
  });
  process.on('disconnect', rest);
  // One connection's trouble is not that of the others.
  process.on('uncaughtException', (error) => process.stderr.write(`krunner: [WARNING] ${name}: ${error.message}\n`));
}

function isHandover(message: unknown): message is Handover {
  return typeof message === 'object' && message !== null && 'connection' in message;
}

function tell(message: GatedMessage): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
