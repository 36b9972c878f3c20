import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfigEntry } from '../../application/ports/config-source.port.js';
import { EtcdKeys, entriesBelow, mergeShallow, quote, unquote } from './etcd-keys.js';

describe('quoting', () => {
  test.each([
    ['Az09_.-~', 'Az09_.-~'],
    ['a/b:c', 'a%2Fb%3Ac'],
    ["!'()* +", '%21%27%28%29%2A%20%2B'],
    ['é', '%C3%A9'],
  ])('%s becomes %s', (text, quoted) => {
    expect(quote(text)).toBe(quoted);
    expect(unquote(quoted)).toBe(text);
  });

  test('comes back from anything, and leaves nothing else unquoted', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(unquote(quote(text))).toBe(text);
        expect(quote(text)).toMatch(/^(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})*$/);
      }),
    );
  });

  test('a plus is a plus, and what is not quoted properly stays', () => {
    expect(unquote('a+b')).toBe('a+b');
    expect(unquote('50%')).toBe('50%');
  });
});

describe('keys', () => {
  const keys = new EtcdKeys('local', { agentId: 'i-node01', resourceGroup: 'default' });

  test.each([
    ['global', 'config/redis', '/sorna/local/config/redis'],
    ['group', 'config/redis/addr', '/sorna/local/sgroup/default/config/redis/addr'],
    ['node', 'ip', '/sorna/local/nodes/agents/i-node01/ip'],
    ['node', '', '/sorna/local/nodes/agents/i-node01/'],
    ['global', '/volumes//_mount/', '/sorna/local/volumes/_mount'],
    ['global', 'config/resource_slots/a:b', '/sorna/local/config/resource_slots/a%3Ab'],
  ] as const)('%s %s', (scope, path, key) => expect(keys.full(scope, path)).toBe(key));
});

describe('entriesBelow', () => {
  const found = (...keys: string[]) => keys.map((key) => ({ key, value: 'v' }));
  const paths = (prefix: string, ...keys: string[]) => entriesBelow(prefix, found(...keys)).map(({ path }) => path);

  test('whole components, unquoted; the prefix itself is the empty path', () => {
    expect(paths('/n/config/redis', '/n/config/redis', '/n/config/redis/a%2Fb/c', '/n/config/redis2/x')).toEqual([
      [],
      ['a/b', 'c'],
    ]);
  });

  test('a scope prefix ends with a slash', () => {
    expect(paths('/n/nodes/agents/i/', '/n/nodes/agents/i/', '/n/nodes/agents/i/ip')).toEqual([[], ['ip']]);
  });
});

test('mergeShallow: a top-level name comes whole from the first list that has it', () => {
  const entry = (path: string, value: string): ConfigEntry => ({ path: path.split('/'), value, key: path });
  const merged = mergeShallow([
    [entry('a/x', 'node')],
    [entry('a/x', 'group'), entry('b', 'group')],
    [entry('a/y', 'global'), entry('b/z', 'global'), entry('c', 'global')],
  ]);
  expect(merged.map(({ path, value }) => `${path.join('/')}=${value}`)).toEqual(['a/x=node', 'b=group', 'c=global']);
});
