import { describe, expect, it } from 'vitest';
import { formatText, interpolate } from './template.js';

const variables = { ports: [8080, 8081], x: { out: 'hi\n' }, runtime_path: '/usr/bin/python3' };

describe('interpolate', () => {
  it.each([
    ['{ports[0]}', '8080'],
    ['${{ ports[1] }}', '8081'],
    ['a{ ports[0] }b', 'a8080b'],
    ['{ports[0]:06d}', '008080'],
    ['{ports}', '[8080, 8081]'],
    ['{x[out]}', 'hi\n'],
    ['{x!r}', "{'out': 'hi\\n'}"],
    ['${FOO}', '${FOO}'],
    ['$FOO ${FOO/a/${B}}', '$FOO ${FOO/a/${B}}'],
    ['$ {ports[0]}', '$ 8080'],
    ['${{ports[0]}', '${{ports[0]}'],
    ['{{{ports[0]}}}', '{8080}}'],
  ])('%s', (text, result) => {
    expect(interpolate(text, variables)).toBe(result);
  });

  it.each([
    '{nope}',
    '{ports[5]}',
    '{ports[-1]}',
    '{ports.length}',
    '{"a": 1}',
    '{{lit}}',
    "awk '{print $1}'",
    '{toString}',
  ])('refuses %s', (text) => {
    expect(() => interpolate(text, variables)).toThrow();
  });
});

describe('formatText', () => {
  it('keeps doubled braces as single ones', () => {
    expect(formatText('{{"port": {ports[0]}}}', variables)).toBe('{"port": 8080}');
    expect(() => formatText('{', variables)).toThrow();
    expect(() => formatText('}', variables)).toThrow();
  });
});
