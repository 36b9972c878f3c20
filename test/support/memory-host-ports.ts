import type { HostPorts } from '../../src/application/ports/host-ports.port.js';

/** Host ports without a host. Ports in `taken` belong to somebody else. */
export class MemoryHostPorts implements HostPorts {
  readonly taken = new Set<number>();
  /** Ports held now. */
  readonly held = new Set<number>();

  hold(port: number): Promise<AsyncDisposable | undefined> {
    if (this.taken.has(port) || this.held.has(port)) return Promise.resolve(undefined);
    this.held.add(port);
    return Promise.resolve({
      [Symbol.asyncDispose]: () => {
        this.held.delete(port);
        return Promise.resolve();
      },
    });
  }
}
