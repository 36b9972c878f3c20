import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHostPort, hostPort, portRange, size } from './value-type.js';

const parse = <T>(type: { schema: { safeParse(value: unknown): { success: boolean; data?: T } } }, value: unknown) => {
  const result = type.schema.safeParse(value);
  return result.success ? result.data : 'refused';
};

describe('size', () => {
  test.each([
    [0, 0],
    [1024, 1024],
    ['512', 512],
    ['1K', 1024],
    ['1k', 1024],
    ['512M', 512 * 1024 ** 2],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['2TB', 2 * 1024 ** 4],
    ['12 apples', 'refused'],
    ['-1M', 'refused'],
    ['', 'refused'],
    ['9999999P', 'refused'],
    [1.5, 'refused'],
    [-1, 'refused'],
    [null, 'refused'],
  ])('%j → %j', (input, expected) => expect(parse(size, input)).toBe(expected));

  test('what is shown is read again as the same size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1 << 20 }), fc.nat(3), (amount, power) => {
        const bytes = amount * 1024 ** power;
        expect(parse(size, JSON.parse(size.show!(bytes)))).toBe(bytes);
      }),
    );
  });
});

describe('host:port', () => {
  test.each([
    ['10.0.0.5:6011', { host: '10.0.0.5', port: 6011 }],
    [
      { host: 'node', port: 1 },
      { host: 'node', port: 1 },
    ],
    [
      { host: 'node', port: '80' },
      { host: 'node', port: 80 },
    ],
    ['[fe80::1]:80', { host: 'fe80::1', port: 80 }],
    [':6011', { host: '', port: 6011 }],
    ['::1:80', 'refused'],
    ['node', 'refused'],
    ['node:70000', 'refused'],
    ['no de:80', 'refused'],
    [{ host: 'node' }, 'refused'],
    [{ host: 'node', port: 1, extra: 1 }, 'refused'],
  ])('%j → %j', (input, expected) => expect(parse(hostPort, input)).toEqual(expected));

  test('its text form is read again as the same address', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), (name, port) => {
        expect(parse(hostPort, formatHostPort({ host: name, port }))).toEqual({ host: name, port });
      }),
    );
  });
});

test('a port range is accepted exactly if it is in order and unprivileged', () => {
  fc.assert(
    fc.property(fc.integer({ min: -10, max: 70000 }), fc.integer({ min: -10, max: 70000 }), (low, high) => {
      const valid = low >= 1024 && low <= high && high <= 65535;
      const expected = valid ? [low, high] : 'refused';
      expect(parse(portRange, [low, high])).toEqual(expected);
      if (low >= 0 && high >= 0) expect(parse(portRange, `${low}-${high}`)).toEqual(expected);
    }),
  );
});
