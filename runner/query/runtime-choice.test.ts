import { describe, expect, it } from 'vitest';
import { chooseRuntime } from './runtime-choice.js';

const having =
  (...there: string[]) =>
  (names: readonly string[]) =>
    names.find((name) => there.includes(name));

describe('chooseRuntime', () => {
  it('follows the label and prefers its path', () => {
    expect(chooseRuntime('python', '/opt/py', '', having('python3', '/opt/py'))).toMatchObject({
      language: 'python',
      interpreter: '/opt/py',
    });
    expect(chooseRuntime('python', '/opt/py', '', having('python3'))).toMatchObject({ interpreter: 'python3' });
    expect(chooseRuntime('nodejs', undefined, '', having('sh'))).toMatchObject({
      language: 'node',
      interpreter: undefined,
    });
  });

  it('detects python, then node, then a shell, then nothing', () => {
    expect(chooseRuntime('app', undefined, '', having('python3', 'node', 'sh')).language).toBe('python');
    expect(chooseRuntime('app', undefined, '', having('node', 'sh')).language).toBe('node');
    expect(chooseRuntime('app', undefined, '', having('/bin/sh'))).toEqual({
      language: 'shell',
      interpreter: '/bin/sh',
      detected: true,
    });
    expect(chooseRuntime('app', undefined, '', having()).language).toBe('none');
  });

  it('treats an unknown type as app and warns', () => {
    expect(chooseRuntime('haskell', undefined, '', having('sh'))).toMatchObject({
      language: 'shell',
      warning: expect.stringContaining('haskell'),
    });
  });
});
