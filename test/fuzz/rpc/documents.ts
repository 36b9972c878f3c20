import type { Random } from '../random.js';
import { pickle } from './pickles.js';

/** MessagePack, written by hand so that it can also lie. */

const uint = (value: number, width: 1 | 2 | 4): Buffer => {
  const bytes = Buffer.alloc(width);
  bytes.writeUIntBE(value, 0, width);
  return bytes;
};
const lead = (byte: number, ...rest: Uint8Array[]): Buffer => Buffer.concat([Buffer.of(byte), ...rest]);

const STRINGS = [
  '',
  'main',
  'interactive',
  '11111111-2222-3333-4444-555555555555',
  'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  'cr.example.com/stable/python:3.12',
  'i-test',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  'läb ✓ \ud83d\ude00',
  'x'.repeat(300),
];
const EXTENSIONS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 0, 42, 127, 255];

export function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length < 32) return lead(0xa0 | bytes.length, bytes);
  if (bytes.length < 256) return lead(0xd9, uint(bytes.length, 1), bytes);
  return lead(0xda, uint(bytes.length & 0xffff, 2), bytes.subarray(0, 0xffff));
}

export function binary(bytes: Uint8Array): Buffer {
  if (bytes.length < 256) return lead(0xc4, uint(bytes.length, 1), bytes);
  return bytes.length < 65_536 ? lead(0xc5, uint(bytes.length, 2), bytes) : lead(0xc6, uint(bytes.length, 4), bytes);
}

export function array(items: readonly Uint8Array[]): Buffer {
  return items.length < 16 ? lead(0x90 | items.length, ...items) : lead(0xdc, uint(items.length, 2), ...items);
}

export function map(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Buffer {
  const flat = entries.flat();
  return entries.length < 16 ? lead(0x80 | entries.length, ...flat) : lead(0xde, uint(entries.length, 2), ...flat);
}

export function extension(type: number, bytes: Uint8Array): Buffer {
  if (bytes.length === 16) return lead(0xd8, Buffer.of(type), bytes);
  return bytes.length < 256
    ? lead(0xc7, uint(bytes.length, 1), Buffer.of(type), bytes)
    : lead(0xc8, uint(bytes.length & 0xffff, 2), Buffer.of(type), bytes.subarray(0, 0xffff));
}

function number(random: Random): Buffer {
  const kind = random.pick([0x00, 0xe0, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3]);
  if (kind === 0x00) return Buffer.of(random.below(128));
  if (kind === 0xe0) return Buffer.of(0xe0 | random.below(32));
  const width = { 0xca: 4, 0xcb: 8, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8, 0xd0: 1, 0xd1: 2, 0xd2: 4, 0xd3: 8 }[kind] ?? 1;
  return lead(kind, random.bytes(width));
}

function anyExtension(random: Random): Buffer {
  const type = random.pick(EXTENSIONS);
  const payload = random.chance(60) ? pickle(random) : random.bytes(random.pick([0, 1, 3, 8, 9, 15, 16, 17, 40]));
  return extension(type, payload);
}

/** Announces what does not follow. */
function lie(random: Random): Buffer {
  const kind = random.pick([
    0x9f, 0x8f, 0xbf, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
  ]);
  return lead(kind, random.chance(50) ? Buffer.alloc(4, 0xff) : random.bytes(5), random.bytes(random.below(8)));
}

function nest(random: Random): Buffer {
  const depth = random.pick([10, 63, 64, 65, 1_000, 20_000]);
  return Buffer.concat([Buffer.alloc(depth, random.pick([0x91, 0x81, 0x92])), Buffer.of(0xc0)]);
}

/** One value, most often a sound one. */
export function value(random: Random, depth = 0): Buffer {
  const roll = random.below(100);
  if (roll < 8) return Buffer.of(random.pick([0xc0, 0xc2, 0xc3]));
  if (roll < 20) return number(random);
  if (roll < 45) return string(random.pick(STRINGS));
  if (roll < 50) return binary(random.bytes(random.below(64)));
  if (roll < 60) return anyExtension(random);
  if (roll < 62) return lie(random);
  if (roll < 63) return nest(random);
  if (roll < 64) return lead(0xa0 | 4, random.bytes(4));
  if (roll < 65) return Buffer.of(0xc1);
  const size = depth > 5 ? 0 : random.below(6);
  const items = Array.from({ length: size }, () => value(random, depth + 1));
  if (roll < 80) return array(items);
  return map(items.map((item) => [random.chance(85) ? string(random.pick(STRINGS)) : value(random, depth + 1), item]));
}
