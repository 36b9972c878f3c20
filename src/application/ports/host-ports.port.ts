/** The host's TCP ports. */
export interface HostPorts {
  /**
   * Binds `port` on `hostIp` so that nobody else can take it, or resolves with `undefined` when somebody has. Dispose
   * the hold right before the engine takes the port.
   */
  hold(port: number, hostIp: string): Promise<AsyncDisposable | undefined>;
}

export const HostPorts = Symbol('HostPorts');
