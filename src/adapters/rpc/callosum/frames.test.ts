import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureFrames, parseMessage, peerKey, requestKey, resultFrames, type Incoming } from './frames.js';

/** The bytes of rpc.md §1.7. */
const PEER = Buffer.from('0001020304', 'hex');
const UPPER = Buffer.from('5550504552', 'hex');
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const PING_HEADER = hex('85a47479706501a46d657468a470696e67a46f6b6579c400a373657100a37a6970c2');
const PING_BODY = hex('82a46d657461c400a4626f6479c41482a46172677391a470696e67a66b776172677380');
const LIMIT = 1_024 * 1_024;

const parse = (header: Uint8Array, body: Uint8Array): Incoming => parseMessage([PEER, UPPER, header, body], LIMIT);
const header = (changes: Readonly<Record<string, unknown>>): Uint8Array =>
  encode({ type: 1, meth: 'ping', okey: new Uint8Array(), seq: 0, zip: false, ...changes });
const BODY = encode({ meta: new Uint8Array(), body: new Uint8Array() });
const told = (frames: readonly Uint8Array[]): string[] => frames.map((frame) => Buffer.from(frame).toString('hex'));

/** Without the header that only one of two readers keeps, and with one form for bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([key]) => key !== 'header');
  return Object.fromEntries(fields.map(([key, inner]) => [key, plain(inner)]));
}

describe('parseMessage', () => {
  it('reads a call', () => {
    expect(parse(PING_HEADER, PING_BODY)).toEqual({
      kind: 'function',
      peer: PEER,
      id: { method: 'ping', okey: Buffer.alloc(0), seq: 0, header: PING_HEADER },
      body: hex('82a46172677391a470696e67a66b776172677380'),
    });
  });

  it('reads a cancellation', () => {
    const cancel = parse(
      hex('85a47479706505a46d657468a4736c6f77a46f6b6579c400a373657107a37a6970c2'),
      hex('82a46d657461c40190a4626f6479c0'),
    );
    expect(cancel).toMatchObject({ kind: 'cancel', id: { method: 'slow', seq: 7 } });
  });

  it('answers a PING with the other frames unchanged', () => {
    const reply = parseMessage([PEER, Buffer.from('PING'), hex('01'), hex('02')], LIMIT);
    expect(reply).toEqual({ kind: 'ping', peer: PEER, reply: [PEER, Buffer.from('PONG'), hex('01'), hex('02')] });
  });

  it('accepts frames before the last three', () => {
    expect(parseMessage([PEER, hex('ff'), UPPER, PING_HEADER, PING_BODY], LIMIT)).toMatchObject({
      kind: 'function',
      peer: PEER,
    });
  });

  it.each([
    ['no frames', []],
    ['too few frames', [PEER, UPPER, PING_HEADER]],
    ['an unknown class', [PEER, hex('55'), PING_HEADER, PING_BODY]],
    ['a header that is no MessagePack', [PEER, UPPER, hex('c1'), PING_BODY]],
    ['a header that is no map', [PEER, UPPER, hex('90'), PING_BODY]],
    ['a header without a method', [PEER, UPPER, header({ meth: 7 }), BODY]],
    ['a header whose ordering key is a number', [PEER, UPPER, header({ okey: 7 }), BODY]],
    ['a header with half a sequence number', [PEER, UPPER, header({ seq: 0.5 }), BODY]],
    ['a huge header', [PEER, UPPER, header({ meth: 'x'.repeat(5_000) }), BODY]],
    ['a reply', [PEER, UPPER, header({ type: 2 }), BODY]],
  ])('ignores %s', (_, frames) => {
    expect(parseMessage(frames, LIMIT).kind).toBe('ignored');
  });

  it.each([
    ['an unknown type', header({ type: 9 }), BODY],
    ['a compressed body', header({ zip: true }), BODY],
    ['a missing zip', encode({ type: 1, meth: 'ping', okey: '', seq: 0 }), BODY],
    ['a body that is no MessagePack', header({}), hex('c1')],
    ['a body that is no map', header({}), hex('c0')],
    ['a body without its document', header({}), encode({ meta: new Uint8Array() })],
    ['metadata of another shape', header({}), encode({ meta: Uint8Array.of(0x91, 1), body: null })],
    ['a body beyond the limit', header({}), encode({ meta: new Uint8Array(), body: new Uint8Array(LIMIT) })],
  ])('rejects %s, telling the caller', (_, head, body) => {
    expect(parse(head, body)).toMatchObject({ kind: 'rejected', id: { method: 'ping', seq: 0 } });
  });

  it('reads the usual layout as the general reader does, whatever the values', () => {
    const usual = fc.record({
      type: fc.constantFrom(1, 5),
      meth: fc.string({ maxLength: 40, unit: 'binary' }),
      okey: fc.oneof(fc.constant(''), fc.constant(new Uint8Array()), fc.string({ maxLength: 8 }), fc.uint8Array()),
      seq: fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat()),
      zip: fc.constant(false),
    });
    const inner = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(usual, inner, fc.constantFrom('c400', 'c40190'), (fields, document, meta) => {
        const body = encode({ meta: hex(meta).subarray(2), body: document });
        const quick = parse(encode(fields), body);
        // Another order of the same keys is nobody's usual layout.
        const { type, ...rest } = fields;
        const slow = parse(encode({ ...rest, type }), encode({ body: document, meta: hex(meta).subarray(2) }));
        expect(plain(slow)).toEqual(plain(quick));
        if (quick.kind !== 'function') return;
        const reply = resultFrames(quick.peer, quick.id, hex('c0'))[2]!;
        expect(told([reply])).toEqual(told([encode({ ...fields, type: 2 })]));
      }),
    );
  });

  it('never throws', () => {
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom<Uint8Array>(UPPER, PING_HEADER, PING_BODY, Buffer.from('PING')),
    );
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 6 }), (frames) => {
        parseMessage(frames, LIMIT);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('replies', () => {
  const id = { method: 'ping', okey: Buffer.alloc(0), seq: 0 };

  it('writes a RESULT as the reference does', () => {
    expect(told(resultFrames(PEER, id, hex('a470696e67')))).toEqual([
      '0001020304',
      '5550504552',
      '85a47479706502a46d657468a470696e67a46f6b6579c400a373657100a37a6970c2',
      '82a46d657461c40190a4626f6479c405a470696e67',
    ]);
    expect(told(resultFrames(PEER, id, hex('c0')))[3]).toBe('82a46d657461c40190a4626f6479c401c0');
  });

  it('writes a FAILURE as the reference does', () => {
    expect(told(failureFrames(PEER, id, ['ValueError', 'ValueError(1)', 'tb']))[3]).toBe(
      '82a46d657461c41d93aa56616c75654572726f72ad56616c75654572726f72283129a27462a4626f6479c0',
    );
  });

  it('echoes an ordering key with its own type', () => {
    expect(told(resultFrames(PEER, { ...id, okey: '' }, hex('c0')))[2]).toContain('a46f6b6579a0');
    expect(told(resultFrames(PEER, id, hex('c0')))[2]).toContain('a46f6b6579c400');
  });

  it('never says that it is compressed, whatever was asked', () => {
    const message = parse(header({ zip: true }), BODY);
    if (message.kind !== 'rejected') throw new Error(message.kind);
    const reply = failureFrames(PEER, message.id, ['a', 'b', 'c'])[2]!;
    expect(told([reply])).toEqual(told([header({ type: 3, zip: false })]));
  });

  it('tells different requests apart', () => {
    const keys = [
      requestKey(peerKey(PEER), id),
      requestKey(peerKey(PEER), { ...id, okey: '' }),
      requestKey(peerKey(PEER), { ...id, seq: 1 }),
      requestKey(peerKey(PEER), { ...id, method: 'pong' }),
      requestKey(peerKey(hex('0001020305')), id),
    ];
    expect(new Set(keys).size).toBe(keys.length);
    expect(requestKey(peerKey(PEER), { ...id })).toBe(keys[0]);
  });
});
