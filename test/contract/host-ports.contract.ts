import { describe, expect, it } from 'vitest';
import type { HostPorts } from '../../src/application/ports/host-ports.port.js';

export interface HostPortsUnderTest {
  readonly ports: HostPorts;
  /** A port that is free now. */
  readonly free: () => Promise<number>;
  /** Somebody else takes the port. */
  readonly occupy: (port: number) => Promise<AsyncDisposable>;
}

export function describeHostPorts(name: string, make: () => HostPortsUnderTest): void {
  describe(`HostPorts: ${name}`, () => {
    it('gives a port to one only, and again after it was let go', async () => {
      const { ports, free } = make();
      const port = await free();
      const hold = await ports.hold(port, '127.0.0.1');
      expect(hold).toBeDefined();
      expect(await ports.hold(port, '127.0.0.1')).toBeUndefined();
      await hold![Symbol.asyncDispose]();
      await hold![Symbol.asyncDispose]();
      const again = await ports.hold(port, '127.0.0.1');
      expect(again).toBeDefined();
      await again![Symbol.asyncDispose]();
    });

    it('gives a port to exactly one of many who ask at once', async () => {
      const { ports, free } = make();
      const port = await free();
      const holds = await Promise.all(Array.from({ length: 10 }, () => ports.hold(port, '127.0.0.1')));
      const given = holds.filter((hold) => hold !== undefined);
      expect(given).toHaveLength(1);
      await given[0]![Symbol.asyncDispose]();
    });

    it('does not give what somebody else has', async () => {
      const { ports, free, occupy } = make();
      const port = await free();
      const other = await occupy(port);
      expect(await ports.hold(port, '127.0.0.1')).toBeUndefined();
      await other[Symbol.asyncDispose]();
      const hold = await ports.hold(port, '127.0.0.1');
      expect(hold).toBeDefined();
      await hold![Symbol.asyncDispose]();
    });
  });
}
