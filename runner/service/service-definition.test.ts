import { describe, expect, it } from 'vitest';
import { appOf, argumentWords, checkedEnvs, parseServiceDefinition, splitWords } from './service-definition.js';

const full = parseServiceDefinition(
  'probe',
  JSON.stringify({
    command: ['{runtime_path}', '-m', 'x'],
    url_template: '{protocol}://{host}:{port}/',
    prestart: [{ action: 'mkdir', args: { path: '/a' }, ref: 'r' }],
    env: { A: '1', N: 2 },
    allowed_envs: ['E', 'HOME'],
    allowed_arguments: ['--dir', '--list', '--flag'],
    default_arguments: { '--quiet': null, '--dir': '/d' },
    future: true,
  }),
);

describe('parseServiceDefinition', () => {
  it('reads everything', () => {
    expect(full).toMatchObject({
      name: 'probe',
      shell: 'bash',
      noop: false,
      prestart: [{ action: 'mkdir', args: { path: '/a' }, ref: 'r' }],
      env: { A: '1', N: '2' },
    });
    expect(parseServiceDefinition('s', '{"command":"x","shell":null}').shell).toBeUndefined();
  });

  it.each([
    '',
    '[]',
    '{}',
    '{"command":[1]}',
    '{"command":"x","env":[]}',
    '{"command":"x","prestart":[{"action":"a"}]}',
  ])('refuses %s', (text) => {
    expect(() => parseServiceDefinition('x', text)).toThrow();
  });
});

describe('a definition', () => {
  it('tells clients what they may set', () => {
    expect(appOf(full)).toEqual({
      name: 'probe',
      url_template: '{protocol}://{host}:{port}/',
      allowed_arguments: ['--dir', '--list', '--flag'],
      allowed_envs: ['E', 'HOME'],
    });
    expect(appOf(parseServiceDefinition('n', '{"command":"x"}'))).toEqual({ name: 'n' });
  });

  it('overlays arguments in place and appends new ones', () => {
    expect(argumentWords(full, { '--list': ['a', 'b'], '--dir': '/e', '--flag': null })).toEqual([
      '--quiet',
      '--dir',
      '/e',
      '--list',
      'a',
      'b',
      '--flag',
    ]);
    expect(() => argumentWords(full, { '--bad': '1' })).toThrow('Argument --bad not allowed for service probe');
  });

  it('takes allowed variables that are not there yet', () => {
    expect(checkedEnvs(full, { E: 'x' }, {})).toEqual({ E: 'x' });
    expect(() => checkedEnvs(full, { HOME: 'x' }, { HOME: '/home/work' })).toThrow('HOME not allowed');
    expect(() => checkedEnvs(full, { OTHER: 'x' }, {})).toThrow('OTHER not allowed');
  });
});

describe('splitWords', () => {
  it('follows shell quoting', () => {
    expect(splitWords(` a 'b c' d\\ e "f"g '' `)).toEqual(['a', 'b c', 'd e', 'fg', '']);
    expect(() => splitWords("'a")).toThrow();
  });
});
