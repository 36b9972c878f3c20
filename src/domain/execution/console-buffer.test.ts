import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConsoleBuffer, type ConsoleKind, cutNotice } from './console-buffer.js';
import { foldConsoleV1 } from './console-v1.js';
import type { ConsoleItem } from './execution.js';

function collect(records: readonly (readonly [ConsoleKind, string])[], room = Infinity): readonly ConsoleItem[] {
  const buffer = new ConsoleBuffer();
  let left = room;
  for (const [kind, text] of records) left -= buffer.append(kind, text, left);
  return buffer.items();
}

const PNG = '{"type": "image/png", "data": "data:image/png;base64,iVBORw0KGgo="}';

describe('ConsoleBuffer', () => {
  it.each<[string, (readonly [ConsoleKind, string])[], ConsoleItem[]]>([
    ['nothing', [], []],
    ['empty text', [['stdout', '']], []],
    [
      'neighbours of one stream',
      [
        ['stdout', 'a'],
        ['stdout', 'b'],
      ],
      [['stdout', 'ab']],
    ],
    [
      'streams taking turns',
      [
        ['stdout', 'a'],
        ['stderr', 'b'],
        ['stderr', 'c'],
        ['stdout', 'd'],
      ],
      [
        ['stdout', 'a'],
        ['stderr', 'bc'],
        ['stdout', 'd'],
      ],
    ],
    [
      'an empty record between neighbours',
      [
        ['stdout', 'a'],
        ['stderr', ''],
        ['stdout', 'b'],
      ],
      [['stdout', 'ab']],
    ],
    [
      'others, never merged',
      [
        ['stdout', 'a'],
        ['html', '<b>'],
        ['html', '<i>'],
        ['media', PNG],
        ['log', 'l'],
        ['stdout', 'b'],
      ],
      [
        ['stdout', 'a'],
        ['html', '<b>'],
        ['html', '<i>'],
        ['media', ['image/png', 'data:image/png;base64,iVBORw0KGgo=']],
        ['log', 'l'],
        ['stdout', 'b'],
      ],
    ],
  ])('collects %s', (_case, records, items) => {
    expect(collect(records)).toEqual(items);
  });

  it('keeps a clean prefix and tells how much is missing', () => {
    expect(
      collect(
        [
          ['stdout', 'x'.repeat(50)],
          ['stdout', 'y'.repeat(100)],
          ['stdout', 'z'],
          ['media', PNG],
        ],
        160,
      ),
    ).toEqual([
      ['stdout', 'x'.repeat(50) + 'y'.repeat(46)],
      ['stderr', cutNotice(54 + 1 + PNG.length)],
    ]);
  });

  it('never takes a piece of something that makes sense only whole', () => {
    expect(collect([['media', PNG]], 50)).toEqual([['stderr', cutNotice(PNG.length)]]);
  });

  it('does not tear a character of two units', () => {
    expect(collect([['stdout', 'ab😀cd']], 32 + 3)).toEqual([
      ['stdout', 'ab'],
      ['stderr', cutNotice(4)],
    ]);
  });

  it('bounds a million tiny records', () => {
    const buffer = new ConsoleBuffer();
    let left = 33_000;
    for (let index = 0; index < 1_000_000; index += 1) {
      left -= buffer.append(index % 2 === 0 ? 'stdout' : 'stderr', 'x', left);
    }
    expect(left).toBe(0);
    expect(buffer.items()).toHaveLength(1001);
  });

  const record = fc.tuple(
    fc.constantFrom<ConsoleKind>('stdout', 'stderr', 'html', 'log'),
    fc.string({ maxLength: 40, unit: 'grapheme' }),
  );

  it('keeps every character and the order of changes of kind, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const items = collect(records);
        const spelled = (all: readonly (readonly [string, unknown])[]) =>
          all.flatMap(([kind, text]) => Array.from(String(text), (character) => `${kind}:${character}`));
        expect(spelled(items)).toEqual(spelled(records));
        for (const [index, [kind]] of items.entries()) {
          if (kind === 'stdout' || kind === 'stderr') expect(items[index + 1]?.[0]).not.toBe(kind);
        }
      }),
    );
  });

  it('stays within its room, and what is kept plus what is told missing is all there was', () => {
    fc.assert(
      fc.property(fc.array(record), fc.integer({ min: 0, max: 400 }), (records, room) => {
        const items = collect(records, room);
        const all = records.map(([, text]) => text).join('');
        const isCut = items.at(-1)?.[1].toString().includes('left out here') === true;
        const kept = (isCut ? items.slice(0, -1) : items).map(([, text]) => String(text)).join('');
        expect(all.startsWith(kept)).toBe(true);
        expect(kept.length).toBeLessThanOrEqual(room);
        if (isCut) expect(items.at(-1)).toEqual(['stderr', cutNotice(all.length - kept.length)]);
        else expect(kept).toBe(all);
      }),
    );
  });
});

describe('foldConsoleV1', () => {
  it('sorts an ordered console into the fields of version 1', () => {
    expect(
      foldConsoleV1([
        ['stdout', 'a'],
        ['stderr', 'x'],
        ['media', ['image/png', 'data:']],
        ['stdout', 'b'],
        ['log', 'not told'],
        ['html', '<b>'],
      ]),
    ).toEqual({ stdout: 'ab', stderr: 'x', media: [['image/png', 'data:']], html: ['<b>'] });
    expect(foldConsoleV1([])).toEqual({ stdout: '', stderr: '', media: [], html: [] });
  });
});
