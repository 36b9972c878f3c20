import { invalidResourceArgument } from '../error/errors.js';
import { Amount } from './amount.js';

const SCALES = 'kmgtpezy';
const UNIT_WORD = /(?:ibytes|ibyte|ib|bytes|byte|b)$/;
const INFINITE = new Set(['inf', 'infinite', 'infinity']);
const NUMBER = /^\d{1,40}(?:\.\d{0,40})?$|^\.\d{1,40}$/;

/**
 * Parses a size (lifecycle.md §4.1): `1073741824`, `512m`, `1.5G`, `2 GiB`, `10 bytes`; blanks inside and `_` are allowed,
 * letters in any case, scales are powers of 1024, a fraction of a byte is dropped.
 * Throws InvalidResourceArgument naming `field` and what is allowed.
 */
export function parseBinarySize(text: string, field = 'size'): bigint {
  const size = parse(text);
  if (size === undefined) throw badSize(text, field, 'a size such as 536870912, 512m or 1.5G');
  return size;
}

/** The same where no limit may be asked for: `inf`, `infinite` and `infinity` give `'infinite'`. */
export function parseBinarySizeOrInfinite(text: string, field = 'size'): bigint | 'infinite' {
  if (INFINITE.has(text.trim().toLowerCase())) return 'infinite';
  const size = parse(text);
  if (size === undefined) throw badSize(text, field, 'a size such as 536870912, 512m or 1.5G, or inf');
  return size;
}

function badSize(text: string, field: string, allowed: string): Error {
  return invalidResourceArgument(`${field}: '${text.slice(0, 64)}' is not a size`, { field, allowed });
}

function parse(text: string): bigint | undefined {
  if (text.length > 128) return undefined;
  const word = text.trim().toLowerCase().replaceAll('_', '');
  const plain = parseNumber(word);
  if (plain?.isMultipleOf(Amount.ONE)) return plain.quanta(Amount.ONE);
  // `10 bytes` has a blank where a scale letter would be, which stands for 1; `10bytes` has nothing there and is no size.
  const scaled = word.replace(UNIT_WORD, '');
  const exponent = SCALES.indexOf(scaled.slice(-1)) + 1;
  const isBlank = scaled.endsWith(' ') && scaled !== word;
  if (scaled === '' || (exponent === 0 && !isBlank)) return undefined;
  const factor = Amount.of(1024n ** BigInt(exponent));
  return parseNumber(scaled.slice(0, -1).trim())?.times(factor).quanta(Amount.ONE);
}

function parseNumber(text: string): Amount | undefined {
  return NUMBER.test(text) ? Amount.parse(text) : undefined;
}

/**
 * Prints the short form (lifecycle.md §4.1): `1536` → `1.5k`, `4294967296` → `4g`; below 1024 the plain number.
 * Lossy beyond two decimals (rounded half to even).
 */
export function formatBinarySize(bytes: bigint): string {
  if (bytes < 1024n) return bytes.toString();
  let exponent = 0;
  for (let rest = bytes; rest >= 1024n && exponent < SCALES.length; rest /= 1024n) exponent += 1;
  const unit = 1024n ** BigInt(exponent);
  let hundredths = (bytes * 100n) / unit;
  const remainder = (bytes * 100n) % unit;
  if (remainder * 2n > unit || (remainder * 2n === unit && hundredths % 2n === 1n)) hundredths += 1n;
  const fraction = (hundredths % 100n).toString().padStart(2, '0').replace(/0+$/, '');
  return `${hundredths / 100n}${fraction === '' ? '' : `.${fraction}`}${SCALES[exponent - 1] ?? ''}`;
}
