import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bindError, ensureFree, resolveBindAddress } from './bind-address.js';

describe('resolveBindAddress', () => {
  it.each([
    ['tcp://127.0.0.1:6011', { endpoint: 'tcp://127.0.0.1:6011', ipv6: false, loopback: true }],
    ['tcp://0.0.0.0:6011', { endpoint: 'tcp://0.0.0.0:6011', ipv6: false, loopback: false }],
    ['tcp://*:6011', { endpoint: 'tcp://*:6011', ipv6: false, loopback: false }],
    ['tcp://:6011', { endpoint: 'tcp://*:6011', ipv6: false, loopback: false }],
    ['tcp://[::1]:0', { endpoint: 'tcp://[::1]:*', ipv6: true, loopback: true }],
    ['tcp://10.0.0.5:0', { endpoint: 'tcp://10.0.0.5:*', ipv6: false, loopback: false }],
  ])('reads %s', async (address, expected) => {
    expect(await resolveBindAddress(address)).toEqual(expected);
  });

  it('resolves a name', async () => {
    expect(await resolveBindAddress('tcp://localhost:6011')).toMatchObject({ loopback: true });
  });

  it.each(['127.0.0.1:6011', 'tcp://127.0.0.1', 'tcp://127.0.0.1:65536', 'ipc:///x', 'tcp://a b:1', 'tcp://::1:80'])(
    'refuses %s',
    async (address) => {
      await expect(resolveBindAddress(address)).rejects.toMatchObject({
        name: 'ConfigurationError',
        field: 'agent.rpc-listen-addr',
      });
    },
  );
});

it('tells an address in use from one that is none of ours', () => {
  const failed = (code: string): Error => Object.assign(new Error(code), { code });
  expect(bindError('tcp://127.0.0.1:1', failed('EADDRINUSE'))).toMatchObject({ name: 'AddressInUseError' });
  expect(bindError('tcp://10.255.255.1:1', failed('EADDRNOTAVAIL'))).toMatchObject({ name: 'ConfigurationError' });
});

describe('ensureFree', () => {
  it.each(['127.0.0.1', '*', '[::1]'])('knows whether somebody listens at %s', async (host) => {
    const server = createServer();
    const listenAt = host === '*' ? '0.0.0.0' : host.replaceAll(/[[\]]/g, '');
    await new Promise<void>((resolve) => server.listen(0, listenAt, resolve));
    const { port } = server.address() as { port: number };
    await expect(ensureFree(`tcp://${host}:${port}`)).rejects.toMatchObject({ name: 'AddressInUseError' });
    await new Promise((resolve) => server.close(resolve));
    await ensureFree(`tcp://${host}:${port}`);
    await ensureFree(`tcp://${host}:${port}`);
  });

  it('has nothing to ask where any port will do, and refuses an address that is none of ours', async () => {
    await ensureFree('tcp://127.0.0.1:0');
    await expect(ensureFree('tcp://192.0.2.1:6001')).rejects.toMatchObject({ name: 'ConfigurationError' });
  });
});
