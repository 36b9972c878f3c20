import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { freePort, listenOn } from '../../../test/support/tcp-listener.js';
import { TcpHostPorts } from './tcp-host-ports.adapter.js';

const ports = new TcpHostPorts();

describe('TcpHostPorts', () => {
  it.each([
    ['0.0.0.0', false, '127.0.0.1'],
    ['0.0.0.0', false, '0.0.0.0'],
    ['127.0.0.1', false, '0.0.0.0'],
    ['127.0.0.1', false, '127.0.0.1'],
    ['127.0.0.2', false, '0.0.0.0'],
    ['::', false, '127.0.0.1'],
    ['::', false, '0.0.0.0'],
    ['::', true, '127.0.0.1'],
    ['::', true, '0.0.0.0'],
    ['::', false, '::'],
    ['0.0.0.0', false, '::'],
    ['127.0.0.1', false, '::'],
  ])('sees a listener on %s (IPv6 only: %s) when asked for %s', async (host, ipv6Only, asked) => {
    await using listener = await listenOn(host, 0, ipv6Only);
    expect(await ports.hold(listener.port, asked)).toBeUndefined();
  });

  it('does not mind a listener on another address', async () => {
    await using listener = await listenOn('127.0.0.2');
    const hold = await ports.hold(listener.port, '127.0.0.1');
    expect(hold).toBeDefined();
    await hold![Symbol.asyncDispose]();
  });

  it.each([
    ['127.0.0.1', '0.0.0.0'],
    ['0.0.0.0', '127.0.0.1'],
    ['0.0.0.0', '::'],
  ])('keeps others away: held on %s, nobody listens on %s', async (held, host) => {
    const port = await freePort();
    const hold = await ports.hold(port, held);
    await expect(listenOn(host, port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await hold![Symbol.asyncDispose]();
    await using listener = await listenOn(host, port);
    expect(listener.port).toBe(port);
  });

  it('can be let go and taken at once, even after somebody connected to the held port', async () => {
    const port = await freePort();
    const hold = await ports.hold(port, '127.0.0.1');
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    await new Promise((resolve) => client.once('close', resolve));
    await hold![Symbol.asyncDispose]();
    await using listener = await listenOn('127.0.0.1', port);
    expect(listener.port).toBe(port);
  });

  it('says that an address is not of this machine', async () => {
    await expect(ports.hold(await freePort(), '203.0.113.7')).rejects.toMatchObject({
      name: 'ConfigurationError',
      field: 'container.bind-host',
    });
  });
});
