import { describe, expect, it } from 'vitest';
import { bindError, resolveBindAddress } from './bind-address.js';

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
