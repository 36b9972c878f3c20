import fc from 'fast-check';
import { expect, test } from 'vitest';
import { levenshtein, nearest } from './nearest-key.js';

test.each([
  ['', '', 0],
  ['kitten', 'sitting', 3],
  ['port-rnage', 'port-range', 2],
  ['abc', '', 3],
])('distance of %j and %j', (a, b, distance) => expect(levenshtein(a, b)).toBe(distance));

test('the distance is a metric', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      expect(levenshtein(a, b)).toBe(levenshtein(b, a));
      expect(levenshtein(a, b) === 0).toBe(a === b);
      expect(levenshtein(a, c)).toBeLessThanOrEqual(levenshtein(a, b) + levenshtein(b, c));
    }),
  );
});

test('something quite different has no neighbour', () => {
  expect(nearest('quux', ['container.port-range'])).toBeUndefined();
  expect(nearest('contaner.port-range', ['agent.id', 'container.port-range'])).toBe('container.port-range');
});
