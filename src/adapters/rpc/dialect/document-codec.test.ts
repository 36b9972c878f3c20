import { readFileSync } from 'node:fs';
import { encode, ExtData } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../domain/error/agent-error.js';
import { decodeDocument, encodeDocument, wellFormed } from './document-codec.js';
import { EnumWord, ImageRef, UnknownExtension } from './wire-values.js';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../test/fixtures/rpc/extension-values.json', import.meta.url), 'utf8'),
) as readonly { readonly what: string; readonly hex: string }[];

/** By the words of rpc.md §3.3. */
const EXPECTED: Readonly<Record<string, unknown>> = {
  'UUID 12345678-1234-5678-1234-567812345678': '12345678-1234-5678-1234-567812345678',
  'naive datetime 2026-01-02 03:04:05.678901': '2026-01-02T03:04:05.678901',
  'same, UTC': '2026-01-02T03:04:05.678901Z',
  'same wall time, +09:00': '2026-01-01T18:04:05.678901Z',
  'Decimal 1.5': '1.5',
  'Decimal Infinity': 'Infinity',
  'PosixPath /tmp/a': '/tmp/a',
  'PurePosixPath /tmp/a': '/tmp/a',
  'AutoDirectoryPath /tmp': '/tmp',
  'SessionTypes.INTERACTIVE': new EnumWord('SessionTypes', 'interactive'),
  'SessionTypes.BATCH': new EnumWord('SessionTypes', 'batch'),
  'ClusterMode.SINGLE_NODE': new EnumWord('ClusterMode', 'single-node'),
  'AutoPullBehavior.DIGEST': new EnumWord('AutoPullBehavior', 'digest'),
  'AutoPullBehavior.TAG': new EnumWord('AutoPullBehavior', 'tag'),
  'AutoPullBehavior.NONE': new EnumWord('AutoPullBehavior', 'none'),
  'KernelLifecycleEventReason user-requested (26.9.6 destroy_kernel)': new EnumWord(
    'KernelLifecycleEventReason',
    'user-requested',
  ),
  'KernelLifecycleEventReason unknown': new EnumWord('KernelLifecycleEventReason', 'unknown'),
  'KernelLifecycleEventReason force-terminated': new EnumWord('KernelLifecycleEventReason', 'force-terminated'),
  'LabelName.CUSTOMIZED_OWNER (value ai.backend.customized-image.owner)': new EnumWord(
    'LabelName',
    'ai.backend.customized-image.owner',
  ),
  'BinarySize 1 GiB': 2 ** 30,
  'BinarySize 1 TiB': 2 ** 40,
  'SlotName cuda.shares': 'cuda.shares',
  'ResourceSlot {cpu:1, mem:1073741824}': { cpu: '1', mem: '1073741824' },
  'ImageRef cr.backend.ai / stable / python : 3.9-ubuntu20.04, x86_64, remote': new ImageRef(
    'cr.backend.ai',
    'stable',
    'python',
    '3.9-ubuntu20.04',
    'x86_64',
    false,
  ),
  'ImageRef index.docker.io / (no project) / library/ubuntu : 22.04': new ImageRef(
    'index.docker.io',
    null,
    'library/ubuntu',
    '22.04',
    'x86_64',
    false,
  ),
};

/** Runs `body` and says whether it succeeded; anything but the one known error is a defect. */
function known(body: () => unknown): boolean {
  try {
    body();
    return true;
  } catch (error) {
    expect(isAgentError(error) && error.name).toBe('ValueError');
    return false;
  }
}

describe('decoding the dialect', () => {
  it.each(VECTORS)('reads $what as the reference means it', ({ what, hex: bytes }) => {
    expect(Object.keys(EXPECTED)).toContain(what);
    expect(decodeDocument(hex(bytes))).toEqual(EXPECTED[what]);
  });

  it('names an image by the parts that are there', () => {
    const canonical = (what: string): unknown => (EXPECTED[what] as ImageRef).canonical;
    expect(canonical('ImageRef cr.backend.ai / stable / python : 3.9-ubuntu20.04, x86_64, remote')).toBe(
      'cr.backend.ai/stable/python:3.9-ubuntu20.04',
    );
    expect(canonical('ImageRef index.docker.io / (no project) / library/ubuntu : 22.04')).toBe(
      'index.docker.io/library/ubuntu:22.04',
    );
  });

  it('makes texts of UUID and enumeration keys', () => {
    const uuid = VECTORS[0]!.hex;
    const label = VECTORS.find(({ what }) => what.startsWith('LabelName'))!.hex;
    expect(decodeDocument(hex(`82 ${uuid} 01 ${label} 02`))).toEqual({
      '12345678-1234-5678-1234-567812345678': 1,
      'ai.backend.customized-image.owner': 2,
    });
  });

  it('keeps integers exact on both sides of 2^53', () => {
    expect(decodeDocument(hex('93 cf0000000100000000 d3ffffffff00000000 cf0020000000000001'))).toEqual([
      2 ** 32,
      -(2 ** 32),
      2n ** 53n + 1n,
    ]);
  });

  it('keeps an extension that it does not know apart from every other value', () => {
    expect(decodeDocument(encode(new ExtData(99, Uint8Array.of(1))))).toEqual(new UnknownExtension(99));
  });

  it.each([
    ['nothing', ''],
    ['bytes after the end', 'c0c0'],
    ['the byte that is never used', 'c1'],
    ['an array without its entries', 'dd ffffffff'],
    ['a map without its entries', 'df 7fffffff 01'],
    ['a text beyond the end', 'db ffffffff 61'],
    ['an ext beyond the end', 'c9 ffffffff 06'],
    ['a cut float', 'cb 0000'],
    ['a key that is no text', '81 9101 01'],
    ['a key that would change the prototype', '81 a95f5f70726f746f5f5f 01'],
    ['a UUID of three bytes', 'c70301 010203'],
    ['a pickle that is none', 'c70106 ff'],
    ['a date that is none', 'c70302 ffffff'],
    ['a path that is no UTF-8', 'd411 ff'],
  ])('refuses %s with the one known error', (_, bytes) => {
    expect(known(() => decodeDocument(hex(bytes)))).toBe(false);
  });

  it('refuses deep nesting and too many values without building them', () => {
    expect(known(() => decodeDocument(Buffer.alloc(1_000_000, 0x91)))).toBe(false);
    const flat = Buffer.concat([hex('dd 00100000'), Buffer.alloc(0x100000, 0xc0)]);
    expect(known(() => decodeDocument(flat))).toBe(false);
  });

  it('throws nothing but the known error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 256 }), (bytes) => {
        known(() => decodeDocument(bytes));
      }),
      { numRuns: 5_000 },
    );
  });

  it('throws nothing but the known error for extensions with any content', () => {
    const code = fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, -1, 42);
    fc.assert(
      fc.property(code, fc.uint8Array({ maxLength: 80 }), (type, bytes) => {
        known(() => decodeDocument(encode(new ExtData(type, bytes))));
      }),
      { numRuns: 3_000 },
    );
  });

  it('throws nothing but the known error for real values with some bytes changed', () => {
    const change = fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.constantFrom(...VECTORS), fc.array(change, { minLength: 1, maxLength: 4 }), (vector, changes) => {
        const bytes = Buffer.from(vector.hex, 'hex');
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        known(() => decodeDocument(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('encoding results', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
        tie('any'),
        { maxKeys: 4, noNullPrototype: true },
      ),
    ),
  })).any;

  it('is undone by decoding', () => {
    fc.assert(
      fc.property(value, (any) => {
        // A whole number is told as an integer, so -0 comes back as 0: compare by what the bytes say.
        const once = encodeDocument(any);
        expect(Buffer.from(encodeDocument(decodeDocument(once)))).toEqual(Buffer.from(once));
      }),
    );
  });

  it('tells undefined as nil, bytes as bytes and never an extension', () => {
    expect(Buffer.from(encodeDocument({ a: undefined, b: Buffer.from('hi') })).toString('hex')).toBe(
      '82a161c0a162c4026869',
    );
    expect(Buffer.from(encodeDocument(true)).toString('hex')).toBe('c3');
    expect(Buffer.from(encodeDocument(30_000)).toString('hex')).toBe('cd7530');
  });

  it.each([new Date(0), new Map(), new Set(), new ImageRef('', null, 'a', 'b', 'c', true), 1n, () => 1, Symbol('x')])(
    'refuses %s, which plain MessagePack has no word for',
    (odd) => {
      expect(() => encodeDocument({ odd })).toThrow(expect.objectContaining({ name: 'EncodeError' }));
    },
  );

  it('refuses a result that contains itself', () => {
    const loop: unknown[] = [];
    loop.push(loop);
    expect(() => encodeDocument(loop)).toThrow(expect.objectContaining({ name: 'EncodeError' }));
  });

  it('never lets half a character out', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const text = `${a}\ud800${b}\udc00\ud83d`;
        const strict = new TextDecoder('utf-8', { fatal: true });
        const bytes = encodeDocument(text);
        const header = bytes.length < 34 ? 1 : bytes.length < 258 ? 2 : 3;
        expect(strict.decode(bytes.subarray(header))).toBe(wellFormed(text));
      }),
    );
  });
});
