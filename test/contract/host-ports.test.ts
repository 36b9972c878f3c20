import { TcpHostPorts } from '../../src/adapters/host/tcp-host-ports.adapter.js';
import { MemoryHostPorts } from '../support/memory-host-ports.js';
import { freePort, listenOn } from '../support/tcp-listener.js';
import { describeHostPorts } from './host-ports.contract.js';

describeHostPorts('TCP', () => ({
  ports: new TcpHostPorts(),
  free: freePort,
  occupy: (port) => listenOn('127.0.0.1', port),
}));

describeHostPorts('memory', () => {
  const ports = new MemoryHostPorts();
  return {
    ports,
    free: () => Promise.resolve(30_000),
    occupy: (port) => {
      ports.taken.add(port);
      return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void ports.taken.delete(port)) });
    },
  };
});
