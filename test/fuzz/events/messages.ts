import { encode } from '@msgpack/msgpack';
import type { Random } from '../random.js';

/** Positional in generation A, named in generation B (state.md §2.7). */
const FIELDS = ['dir_name', 'volume_backend_name', 'quota_scope_id', 'fs_location', 'fs_type', 'cmd_options'] as const;
const NAMES = ['do_volume_mount', 'do_volume_unmount', 'do_volume_x', 'kernel_terminated', '__proto__', ''] as const;

/** A message that must be heard; `mark` is its `dir_name`. */
export function soundMessage(random: Random, mark: string): string {
  const values = [mark, 'v', 'user:x', 'nas:/x'];
  const name = random.chance(50) ? 'do_volume_mount' : 'do_volume_unmount';
  if (random.chance(50)) {
    const body = Object.fromEntries(values.map((value, index) => [FIELDS[index] ?? '', value]));
    return JSON.stringify({ name, source: 'manager', payload: JSON.stringify(body) });
  }
  const rest = name === 'do_volume_mount' ? ['nfs', null, null, false, '/etc/fstab'] : [null, false, null];
  const args = name === 'do_volume_mount' ? [...values, ...rest] : [...values.slice(0, 3), ...rest];
  return JSON.stringify({ name, source: 'manager', args: Buffer.from(encode(args)).toString('base64') });
}

/** Something that should not be there. */
export function hostileMessage(random: Random): Buffer {
  const text = hostileText(random);
  return random.chance(40) ? damaged(random, Buffer.from(text)) : Buffer.from(text);
}

function hostileText(random: Random): string {
  const name = random.pick(NAMES);
  const envelope: Record<string, unknown> = { name, source: value(random, 1) };
  if (random.chance(60)) envelope['payload'] = random.chance(70) ? JSON.stringify(body(random)) : value(random, 2);
  if (random.chance(50)) envelope['args'] = random.chance(80) ? packed(random).toString('base64') : value(random, 2);
  if (random.chance(10)) return `${'['.repeat(random.below(30_000))}"do_volume_mount"`;
  return JSON.stringify(envelope);
}

function body(random: Random): unknown {
  if (random.chance(20)) return value(random, 3);
  return Object.fromEntries(FIELDS.filter(() => random.chance(80)).map((field) => [field, value(random, 2)]));
}

function value(random: Random, depth: number): unknown {
  if (depth > 0 && random.chance(30)) {
    const parts = Array.from({ length: random.below(5) }, () => value(random, depth - 1));
    return random.chance(50) ? parts : Object.fromEntries(parts.map((part, index) => [`k${index}`, part]));
  }
  return random.pick([null, true, -1, 1e300, '', '/etc/fstab', '\u0000', '\ud800', 'x'.repeat(random.below(6_000))]);
}

/** MessagePack: sound, random, or claiming lengths that are not there. */
function packed(random: Random): Buffer {
  const kind = random.below(3);
  if (kind === 0) return Buffer.from(encode(Array.from({ length: random.below(40) }, () => value(random, 2))));
  if (kind === 1) return random.bytes(random.below(200));
  const claims = [0xdd, 0xdf, 0xdb, 0xc6, 0xc9, 0xdc, 0xde];
  return Buffer.concat([Buffer.from([random.pick(claims), 0x7f, 0xff, 0xff, 0xff]), random.bytes(random.below(8))]);
}

function damaged(random: Random, bytes: Buffer): Buffer {
  const result = Buffer.from(bytes);
  for (let n = random.below(4); n >= 0 && result.length > 0; n--)
    result[random.below(result.length)] = random.below(256);
  return random.chance(30) ? result.subarray(0, random.below(result.length + 1)) : result;
}
