import { Amount } from '../resource/amount.js';

const VALUE_DIGITS = 3;
const PERCENT_DIGITS = 2;

/** What stands for a percentage that there is none of; a computed zero is `0` (stats.md §1.4). */
const NO_PERCENTAGE = '0.00';

/** A number as readers expect it: rounded half-even, without needless zeros or an exponent. */
export function metricText(value: number, digits = VALUE_DIGITS): string {
  if (Number.isSafeInteger(value)) return String(value);
  if (!Number.isFinite(value)) return String(value);
  return Amount.of(value).rounded(digits).toString();
}

/** `current` in percent of `capacity`, from the unrounded values. */
export function percentText(current: number, capacity: number | null): string {
  if (capacity === null || !Number.isFinite(capacity) || capacity <= 0) return NO_PERCENTAGE;
  return metricText((100 * current) / capacity, PERCENT_DIGITS);
}
