import type { Random } from '../random.js';

/** Pickles as CPython writes them, and what somebody who means harm would write instead. */

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return bytes.length < 256
    ? Buffer.concat([Buffer.of(0x8c, bytes.length), bytes])
    : Buffer.concat([Buffer.of(0x58, bytes.length & 0xff, bytes.length >>> 8, 0, 0), bytes]);
};
const MEMO = Buffer.of(0x94);
const op = (...codes: number[]): Buffer => Buffer.from(codes);

const MODULES = ['ai.backend.common.types', 'ai.backend.common.docker', 'decimal', 'builtins', 'os', 'posix', 'ai.x'];
const NAMES = ['SessionTypes', 'AutoPullBehavior', 'ImageRef', 'BinarySize', 'Decimal', 'getattr', 'system', 'eval'];
const WORDS = ['interactive', 'digest', 'none', 'TAG', '1.5', 'Infinity', 'name', 'tag', 'registry', '', '✓'];
const OPCODES = [
  0x28, 0x29, 0x4e, 0x4b, 0x4a, 0x4d, 0x52, 0x5d, 0x61, 0x62, 0x63, 0x64, 0x65, 0x68, 0x69, 0x6a, 0x6f, 0x71, 0x73,
  0x74, 0x75, 0x7d, 0x80, 0x81, 0x82, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x90, 0x91, 0x92, 0x93,
  0x94, 0x95, 0x97, 0x98,
];

/** `module.name(word)`, framed as protocol 5. */
function call(random: Random): Buffer {
  const parts = [
    text(random.pick(MODULES)),
    MEMO,
    text(random.pick(NAMES)),
    MEMO,
    op(0x93),
    MEMO,
    ...(random.chance(80) ? [text(random.pick(WORDS))] : [op(0x4a), random.bytes(4)]),
    MEMO,
    op(0x85),
    MEMO,
    op(random.pick([0x52, 0x81])),
    MEMO,
    op(0x2e),
  ];
  return framed(Buffer.concat(parts));
}

/** An object with a state. */
function built(random: Random): Buffer {
  const items = Array.from({ length: random.below(8) }, () => [text(random.pick(WORDS)), text(random.pick(WORDS))]);
  return framed(
    Buffer.concat([
      ...[
        text(random.pick(MODULES)),
        MEMO,
        text(random.pick(NAMES)),
        MEMO,
        op(0x93, 0x94, 0x29, 0x81, 0x94, 0x7d, 0x94),
      ],
      ...[op(0x28), ...items.flat(), op(0x75, 0x62, 0x2e)],
    ]),
  );
}

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(body.length));
  return Buffer.concat([op(0x80, 5, 0x95), length, body]);
}

/** Steps in no order, and steps that multiply. */
function chaos(random: Random): Buffer {
  const steps = Array.from({ length: random.below(200) }, () =>
    random.chance(70)
      ? op(random.pick(OPCODES), random.below(256))
      : Buffer.concat([text(random.pick(MODULES)), text(random.pick(NAMES)), op(0x93)]),
  );
  return Buffer.concat([op(0x80, 5), ...steps, op(0x2e)]);
}

/** Each list holds the one before twice: small to write, endless to unfold. */
function bomb(random: Random): Buffer {
  const levels = 10 + random.below(200);
  const steps = Array.from({ length: levels }, (_, level) => op(0x5d, 0x94, 0x28, 0x68, level, 0x68, level, 0x65));
  return Buffer.concat([op(0x80, 5, 0x5d, 0x94), ...steps, op(0x2e)]);
}

export function pickle(random: Random): Buffer {
  const made = random.pick([call, call, built, chaos, bomb])(random);
  if (random.chance(60)) return made;
  if (random.chance(30)) return made.subarray(0, random.below(made.length + 1));
  if (made.length > 0) made[random.below(made.length)] = random.below(256);
  return made;
}
