import { describe, expect, it } from 'vitest';
import { isSameSite } from './origin.js';

describe('isSameSite', () => {
  it.each([
    ['a program', { host: 'node:30001' }, true],
    ['its own page', { host: 'node:30001', origin: 'http://node:30001' }, true],
    ['its own page in other letters', { host: 'Node:30001', origin: 'http://NODE:30001' }, true],
    ['a default port, said or not', { host: 'node:443', origin: 'https://node' }, true],
    [
      'a page behind a proxy',
      { host: '10.0.0.5:30001', origin: 'https://apps.x:8443', 'x-forwarded-host': 'apps.x:8443' },
      true,
    ],
    ['a page behind two', { host: 'a', origin: 'https://apps.x', 'x-forwarded-host': 'inner, apps.x' }, true],
    ['another site', { host: 'node:30001', origin: 'https://evil.example' }, false],
    ['another port of the host', { host: 'node:30001', origin: 'http://node:30002' }, false],
    ['another site behind a proxy', { host: 'a', origin: 'https://evil.example', 'x-forwarded-host': 'apps.x' }, false],
    ['a page without an origin', { host: 'node:30001', origin: 'null' }, false],
    ['nonsense', { origin: 'nonsense' }, false],
  ])('%s', (_what, headers, expected) => {
    expect(isSameSite(headers)).toBe(expected);
  });
});
