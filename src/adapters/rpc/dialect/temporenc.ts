import { malformed } from '../wire-errors.js';

interface Shape {
  readonly tag: string;
  readonly date: boolean;
  readonly time: boolean;
  readonly zone: boolean;
  /** Digits after the second; 0 = none. */
  readonly digits: 0 | 3 | 6 | 9;
}

const SHAPES: readonly Shape[] = [
  { tag: '00', date: true, time: true, zone: false, digits: 0 },
  { tag: '100', date: true, time: false, zone: false, digits: 0 },
  { tag: '1010000', date: false, time: true, zone: false, digits: 0 },
  { tag: '110', date: true, time: true, zone: true, digits: 0 },
  ...(['01', '111'] as const).flatMap((tag) =>
    ([3, 6, 9, 0] as const).map((digits, precision) => ({
      tag: tag + precision.toString(2).padStart(2, '0'),
      date: true,
      time: true,
      zone: tag === '111',
      digits,
    })),
  ),
];

const FRACTION_BITS = { 0: 0, 3: 10, 6: 20, 9: 30 } as const;
const MAX_BYTES = 10;

/**
 * A temporenc value (rpc.md §3.4) as ISO-8601 text; with a zone it is UTC and ends in `Z`, the original offset is lost.
 *
 * @throws ValueError for a size or tag that temporenc doesn't know, and for an absent or impossible field.
 */
export function readTemporenc(bytes: Uint8Array): string {
  if (bytes.length < 3 || bytes.length > MAX_BYTES) throw malformed(`a date of ${bytes.length} bytes is no temporenc`);
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const shape = SHAPES.find(({ tag }) => bits.startsWith(tag));
  if (shape === undefined) throw malformed('unknown temporenc type');
  const size =
    shape.tag.length +
    (shape.date ? 21 : 0) +
    (shape.time ? 17 : 0) +
    FRACTION_BITS[shape.digits] +
    (shape.zone ? 7 : 0);
  if (bytes.length !== Math.ceil(size / 8))
    throw malformed(`a date of ${bytes.length} bytes does not fit its temporenc type`);

  let at = shape.tag.length;
  const field = (width: number, digits: number, offset: number, max: number): string => {
    const value = parseInt(bits.slice(at, at + width), 2) + offset;
    at += width;
    if (value > max) throw malformed('a date has an absent or impossible field');
    return String(value).padStart(digits, '0');
  };
  let text = '';
  if (shape.date) text += [field(12, 4, 0, 4094), field(4, 2, 1, 12), field(5, 2, 1, 31)].join('-');
  if (shape.time)
    text += `${shape.date ? 'T' : ''}${[field(5, 2, 0, 23), field(6, 2, 0, 59), field(6, 2, 0, 60)].join(':')}`;
  if (shape.digits > 0) text += `.${field(FRACTION_BITS[shape.digits], shape.digits, 0, 10 ** shape.digits - 1)}`;
  return shape.zone ? `${text}Z` : text;
}
