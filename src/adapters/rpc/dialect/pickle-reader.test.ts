import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../../domain/error/agent-error.js';
import { PickleGlobal, PickleObject, readPickle } from './pickle-reader.js';
import { readBinarySize, readEnumWord, readImageRef } from './pickled-values.js';

const text = (value: string): number[] => [0x8c, value.length, ...Buffer.from(value)];
const pickle = (...ops: (number | number[])[]): Uint8Array => Uint8Array.from([0x80, 5, ...ops.flat(), 0x2e]);
const global = (module: string, name: string): number[] => [...text(module), ...text(name), 0x93];
const refused = expect.objectContaining({ name: 'ValueError' });

describe('readPickle', () => {
  it('keeps a call as a note of what would be called', () => {
    const system = pickle(global('os', 'system'), text('reboot'), 0x85, 0x52);
    expect(readPickle(system)).toEqual(new PickleObject(new PickleGlobal('os', 'system'), ['reboot']));
    expect(() => readEnumWord(system)).toThrow(refused);
    expect(() => readImageRef(system)).toThrow(refused);
    expect(() => readBinarySize(system)).toThrow(refused);
  });

  it('reads integers of every width', () => {
    const values = readPickle(
      pickle(
        0x28,
        [0x4b, 200],
        [0x4d, 0x34, 0x12],
        [0x4a, 0xff, 0xff, 0xff, 0xff],
        [0x8a, 0],
        [0x8a, 2, 0x00, 0x80],
        [0x8b, 1, 0, 0, 0, 0xff],
        [0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x40],
        [0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
        0x74,
      ),
    );
    expect(values).toEqual([200, 0x1234, -1, 0, -32_768, -1, 2n ** 62n, 1.5]);
  });

  it('reads collections and what was remembered', () => {
    const bytes = pickle(
      0x7d,
      text('k'),
      0x94,
      0x5d,
      0x4e,
      0x61,
      0x28,
      0x88,
      0x89,
      0x65,
      0x73,
      0x28,
      text('l'),
      [0x68, 0],
      0x75,
    );
    expect(readPickle(bytes)).toEqual(
      new Map<string, unknown>([
        ['k', [null, true, false]],
        ['l', 'k'],
      ]),
    );
  });

  it('reads a member that is pickled by name, as CPython 3.11 does', () => {
    const member = (module: string, owner: string, name: string): Uint8Array =>
      pickle(global('builtins', 'getattr'), global(module, owner), text(name), 0x86, 0x52);
    const types = 'ai.backend.common.types';
    expect(readEnumWord(member(types, 'ClusterMode', 'SINGLE_NODE')).value).toBe('single-node');
    expect(() => readEnumWord(member(types, 'MountPermission', 'READ_ONLY'))).toThrow(refused);
    expect(() => readEnumWord(member('os', 'ClusterMode', 'SINGLE_NODE'))).toThrow(refused);
  });

  it.each([
    ['no stop', Uint8Array.of(0x80, 5, 0x4e)],
    ['bytes after the stop', Uint8Array.of(0x4e, 0x2e, 0x4e)],
    ['an empty stack', pickle()],
    ['values left over', pickle(0x4e, 0x4e)],
    ['an open mark', pickle(0x28, 0x4e)],
    ['a mark that was never set', pickle(0x74)],
    ['a pop through a mark', pickle(0x4e, 0x28, 0x85)],
    ['an unknown memo', pickle([0x68, 3])],
    ['an opcode that imports', pickle(Array.from(Buffer.from('cos\nsystem\n')))],
    ['a persistent id', pickle(0x4e, 0x51)],
    ['an extension registry code', pickle([0x82, 1])],
    ['a call of something that is no name', pickle(text('f'), 0x29, 0x52)],
    ['a state without an object', pickle(0x7d, 0x7d, 0x62)],
    ['a text beyond the end', pickle([0x8c, 200, 0x41])],
    ['a text of 2^63 bytes', pickle([0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80])],
    ['a text that is no UTF-8', pickle([0x8c, 1, 0xff])],
    ['an integer of 255 bytes', pickle([0x8a, 255, ...Array<number>(255).fill(1)])],
    ['a newer protocol', Uint8Array.of(0x80, 6, 0x4e, 0x2e)],
    ['a deep stack', pickle(Array<number>(2_000).fill(0x4e))],
    ['a full memory', pickle(0x4e, Array<number>(5_000).fill(0x94))],
    ['too many steps', pickle(0x4e, Array<number[]>(16_500).fill([0x95, 0, 0, 0]).flat())],
    ['too many bytes', new Uint8Array(70_000)],
  ])('refuses %s', (_, bytes) => {
    expect(() => readPickle(bytes)).toThrow(refused);
  });

  it('ends with a value or the known error for any bytes', () => {
    const ops = fc.constantFrom(
      ...[
        0x28, 0x29, 0x4e, 0x52, 0x5d, 0x61, 0x62, 0x65, 0x73, 0x74, 0x75, 0x7d, 0x81, 0x85, 0x86, 0x87, 0x88, 0x93,
        0x94,
      ],
      ...[0x68, 0x00, 0x8c, 0x01, 0x2e],
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(ops, { maxLength: 200 }).map(Uint8Array.from.bind(Uint8Array)),
    );
    fc.assert(
      fc.property(bytes, (any) => {
        try {
          readPickle(any);
        } catch (error) {
          expect(isAgentError(error)).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
