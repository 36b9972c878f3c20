import { Decimal } from 'decimal.js';
import { invalidResourceArgument } from '../error/errors.js';

/** Enough digits that adding and multiplying what the grammar below admits is exact; never an exponent in print. */
const Exact = Decimal.clone({ precision: 200, toExpPos: 200, toExpNeg: -200 });

/** Python's Decimal text, bounded: `1`, `0.50`, `0E-8`, `1E+3`. */
const GRAMMAR = /^[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?$/;

/** An exact decimal amount of a slot. The only place that knows decimal.js. */
export class Amount {
  static readonly ZERO = new Amount(new Exact(0));
  static readonly ONE = new Amount(new Exact(1));

  private constructor(private readonly value: Decimal) {}

  /** Throws InvalidResourceArgument naming `field`; NaN and Infinity are no amounts. */
  static parse(text: string, field = 'amount'): Amount {
    const trimmed = text.trim();
    if (!GRAMMAR.test(trimmed)) {
      throw invalidResourceArgument(`${field}: '${text.slice(0, 64)}' is not an amount`, {
        field,
        allowed: 'a decimal number such as 2 or 0.5',
      });
    }
    return new Amount(new Exact(trimmed));
  }

  /** Throws RangeError for what is not a finite number. */
  static of(value: number | bigint): Amount {
    if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${value} is not an amount`);
    return new Amount(new Exact(value.toString()));
  }

  static sum(amounts: Iterable<Amount>): Amount {
    let total = Amount.ZERO;
    for (const amount of amounts) total = total.plus(amount);
    return total;
  }

  plus(other: Amount): Amount {
    return new Amount(this.value.plus(other.value));
  }

  minus(other: Amount): Amount {
    return new Amount(this.value.minus(other.value));
  }

  times(other: Amount): Amount {
    return new Amount(this.value.times(other.value));
  }

  /** `other` is not zero. */
  dividedBy(other: Amount): Amount {
    return new Amount(this.value.div(other.value));
  }

  /** Negative, zero or positive as this is less than, equal to or greater than `other`, by value and not by text. */
  compare(other: Amount): number {
    return this.value.cmp(other.value);
  }

  equals(other: Amount): boolean {
    return this.value.eq(other.value);
  }

  get isZero(): boolean {
    return this.value.isZero();
  }

  get isNegative(): boolean {
    return this.value.lt(0);
  }

  get isPositive(): boolean {
    return this.value.gt(0);
  }

  /** The greatest multiple of `quantum` that is not above this amount, counted in quanta. `quantum` is positive. */
  quanta(quantum: Amount): bigint {
    return BigInt(this.value.div(quantum.value).floor().toFixed());
  }

  floorTo(quantum: Amount): Amount {
    return quantum.times(Amount.of(this.quanta(quantum)));
  }

  /** To so many digits after the point; ties go to the even digit. */
  rounded(digits: number): Amount {
    return new Amount(this.value.toDecimalPlaces(digits, Decimal.ROUND_HALF_EVEN));
  }

  isMultipleOf(quantum: Amount): boolean {
    return this.value.mod(quantum.value).isZero();
  }

  toNumber(): number {
    return this.value.toNumber();
  }

  /** With exactly so many digits after the point; ties go to the even digit. */
  toFixed(digits: number): string {
    return this.value.toFixed(digits, Decimal.ROUND_HALF_EVEN);
  }

  /** Plain decimal without exponent or needless zeros: `1.5`, `4294967296`. */
  toString(): string {
    return this.value.toFixed();
  }
}

export function maxAmount(a: Amount, b: Amount): Amount {
  return a.compare(b) >= 0 ? a : b;
}
