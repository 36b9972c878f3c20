import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Amount } from './amount.js';

describe('Amount', () => {
  it.each([
    ['1', '1'],
    ['0.50', '0.5'],
    ['0E-8', '0'],
    ['1E+3', '1000'],
    ['1e-7', '0.0000001'],
    ['+2', '2'],
    ['-0.1', '-0.1'],
    ['123456789012345678901234567890.123456789', '123456789012345678901234567890.123456789'],
    [' 4294967296 ', '4294967296'],
  ])('reads %s as %s', (text, printed) => {
    expect(Amount.parse(text).toString()).toBe(printed);
  });

  it.each(['', 'abc', 'NaN', 'Infinity', '1e999', '0x10', '1_000', '1.2.3', '--1', '9'.repeat(60)])(
    'refuses %j',
    (text) => {
      expect(() => Amount.parse(text, 'resource_slots.cpu')).toThrow(
        expect.objectContaining({ name: 'InvalidResourceArgument', field: 'resource_slots.cpu' }),
      );
    },
  );

  it('adds without the drift of floats', () => {
    const tenth = Amount.parse('0.1');
    expect(Amount.sum(Array.from({ length: 10 }, () => tenth)).equals(Amount.ONE)).toBe(true);
  });

  it('floors to a quantum', () => {
    expect(Amount.parse('1.75').floorTo(Amount.parse('0.1')).toString()).toBe('1.7');
    expect(Amount.parse('1.5').isMultipleOf(Amount.parse('0.25'))).toBe(true);
    expect(Amount.parse('1.55').isMultipleOf(Amount.parse('0.1'))).toBe(false);
  });

  it('agrees with integer arithmetic in thousandths', () => {
    const thousandths = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n });
    const toAmount = (n: bigint): Amount => Amount.of(n).times(Amount.parse('0.001'));
    fc.assert(
      fc.property(thousandths, thousandths, (a, b) => {
        expect(
          toAmount(a)
            .plus(toAmount(b))
            .equals(toAmount(a + b)),
        ).toBe(true);
        expect(
          toAmount(a)
            .minus(toAmount(b))
            .equals(toAmount(a - b)),
        ).toBe(true);
        expect(Math.sign(toAmount(a).compare(toAmount(b)))).toBe(a === b ? 0 : a < b ? -1 : 1);
        expect(Amount.parse(toAmount(a).toString()).equals(toAmount(a))).toBe(true);
      }),
    );
  });
});
