import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBinarySize, parseBinarySize, parseBinarySizeOrInfinite } from './binary-size.js';

describe('parseBinarySize', () => {
  it.each([
    ['0', 0n],
    ['1073741824', 1_073_741_824n],
    ['123.000', 123n],
    ['512m', 536_870_912n],
    ['1.5G', 1_610_612_736n],
    ['2 GiB', 2_147_483_648n],
    ['1kb', 1024n],
    ['10 bytes', 10n],
    ['1_000k', 1_024_000n],
    ['1y', 1024n ** 8n],
    ['0.3k', 307n],
    [' 4g ', 4_294_967_296n],
  ])('reads %s', (text, bytes) => {
    expect(parseBinarySize(text)).toBe(bytes);
  });

  it.each(['12 apples', '10bytes', '1.5', '', 'm', '-5m', 'inf', 'NaN', '1 2 m', '0x10', '5mm', '1e3k'])(
    'refuses %j',
    (text) => {
      expect(() => parseBinarySize(text, 'resource_slots.mem')).toThrow(
        expect.objectContaining({
          name: 'InvalidResourceArgument',
          field: 'resource_slots.mem',
          allowed: expect.stringContaining('512m'),
        }),
      );
    },
  );

  it('reads infinity only where it is allowed', () => {
    expect(parseBinarySizeOrInfinite('Infinity')).toBe('infinite');
    expect(parseBinarySizeOrInfinite('1k')).toBe(1024n);
    expect(() => parseBinarySizeOrInfinite('endless', 'scratch-size')).toThrow(/scratch-size/);
  });
});

describe('formatBinarySize', () => {
  it.each([
    [0n, '0'],
    [1023n, '1023'],
    [1536n, '1.5k'],
    [1152n, '1.12k'],
    [1408n, '1.38k'],
    [4_294_967_296n, '4g'],
    [4_294_967_297n, '4g'],
    [1_048_575n, '1024k'],
    [1_610_612_736n, '1.5g'],
    [1024n ** 8n, '1y'],
    [1024n ** 9n, '1024y'],
  ])('prints %d as %s', (bytes, text) => {
    expect(formatBinarySize(bytes)).toBe(text);
  });

  it('prints what reads back to within half a hundredth of its unit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1024n ** 8n }), (bytes) => {
        const back = parseBinarySize(formatBinarySize(bytes));
        const error = back > bytes ? back - bytes : bytes - back;
        expect(error * 200n <= bytes + 200n).toBe(true);
      }),
    );
  });
});
