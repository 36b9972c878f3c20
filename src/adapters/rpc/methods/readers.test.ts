import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { EnumWord } from '../dialect/wire-values.js';
import { parseArguments } from './parse-arguments.js';
import { invalidFields, type Problem } from './problems.js';
import {
  asSchema,
  flag,
  list,
  map,
  ofSchema,
  type Reader,
  record,
  text,
  textLike,
  textMap,
  whole,
  word,
} from './readers.js';

function read<T>(
  reader: Reader<T>,
  value: unknown,
  at = 'x',
): { readonly got: T | undefined; readonly problems: Problem[] } {
  const problems: Problem[] = [];
  return { got: reader(value, at, problems), problems };
}

const person = map((fields) => ({
  name: fields.required('name', text(1, 3)),
  age: fields.optional('age', whole(0, 150)) ?? 7,
}));

describe('readers', () => {
  it.each<[string, Reader<unknown>, unknown, unknown]>([
    ['text', text(), 'a', 'a'],
    ['a pattern', textLike(/^a+$/, 'letters a'), 'aaa', 'aaa'],
    ['a number', whole(1, 9), 9, 9],
    ['truth', flag, false, false],
    ['a word in any spelling', word(['single-node', 'multi-node']), 'MULTI_NODE', 'multi-node'],
    ['an enumeration member', word(['ro', 'rw']), new EnumWord('MountPermission', 'rw'), 'rw'],
    ['a list', list(whole(0), 2), [1, 2], [1, 2]],
    ['a map with any keys', record(whole(0)), { a: 1 }, { a: 1 }],
    ['a map of texts', textMap, { a: 'b' }, { a: 'b' }],
    ['a map, nil as absence, more keys ignored', person, { name: 'Ann', age: null, more: 1 }, { name: 'Ann', age: 7 }],
    ['what a schema takes', ofSchema(z.object({ n: z.int() })), { n: 1 }, { n: 1 }],
  ])('read %s', (_, reader, value, wanted) => {
    expect(read(reader, value)).toEqual({ got: wanted, problems: [] });
  });

  it.each<[Reader<unknown>, unknown, string, string]>([
    [text(), 1, 'x', 'text'],
    [text(2), 'a', 'x', 'at least 2 characters long'],
    [text(0, 2), 'abc', 'x', 'at most 2 characters long'],
    [textLike(/^a+$/, 'letters a'), 'b', 'x', 'letters a'],
    [textLike(/^a+$/, 'letters a'), null, 'x', 'text'],
    [whole(0), '1', 'x', 'a number'],
    [whole(0), NaN, 'x', 'a whole number'],
    [whole(0), 1.5, 'x', 'a whole number'],
    [whole(0), -1, 'x', 'at least 0'],
    [whole(0), 2 ** 53, 'x', `at most ${Number.MAX_SAFE_INTEGER}`],
    [whole(0), 1n, 'x', 'a number'],
    [flag, 'true', 'x', 'true or false'],
    [word(['ro', 'rw']), 'wd', 'x', 'one of ro, rw'],
    [list(whole(0), 2), {}, 'x', 'an array'],
    [list(whole(0), 2), [1, 2, 3], 'x', 'at most 2 entries'],
    [list(whole(0), 2), [1, 'two'], 'x[1]', 'a number'],
    [record(whole(0)), [], 'x', 'a map'],
    [record(whole(0)), { 'a.b': -1 }, 'x.a.b', 'at least 0'],
    [textMap, new EnumWord('a', 'b'), 'x', 'a map'],
    [textMap, { ['k'.repeat(99)]: 1 }, `x.${'k'.repeat(64)}`, 'text'],
    [person, null, 'x', 'a map'],
    [person, { age: 1 }, 'x.name', 'text'],
    [list(person, 9), [{ name: 'Ann' }, { name: 'Bob', age: 200 }], 'x[1].age', 'at most 150'],
    [ofSchema(z.object({ n: z.int() })), { n: 'one' }, 'x.n', 'a number'],
  ])('refuse what they must, case %#', (reader, value, field, allowed) => {
    expect(read(reader, value).problems).toEqual([{ field, allowed }]);
  });

  it('tell all that is wrong, eight of it in words', () => {
    const { problems } = read(record(flag), Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])), '');
    expect(problems).toHaveLength(20);
    const error = invalidFields(problems);
    expect(error).toMatchObject({ name: 'InvalidArgumentError', field: 'k0', allowed: 'true or false' });
    expect(error.message.split('; ').slice(-2)).toEqual(['k7: must be true or false', 'and 12 more']);
  });

  it('are schemas where schemas are wanted', () => {
    const schema = z.object({ who: asSchema(person) });
    expect(parseArguments(schema, { who: { name: 'Ann' } })).toEqual({ who: { name: 'Ann', age: 7 } });
    const refused = (value: unknown, field: string, allowed: string): void => {
      expect(() => parseArguments(schema, value)).toThrow(expect.objectContaining({ field, allowed }));
    };
    refused({ who: { name: '' } }, 'who.name', 'at least 1 characters long');
    refused({ who: 3 }, 'who', 'a map');
    refused({}, 'who', 'a map');
  });
});
