import { describe, expect, it } from 'vitest';
import { parseClientArguments } from './client-arguments.js';

const plain = { user: undefined, port: undefined, identity: undefined, terminal: false, noInput: false };

describe('parseClientArguments', () => {
  it.each([
    ['sub1', { ...plain, host: 'sub1', command: '', terminal: true }],
    ['sub1 hostname -f', { ...plain, host: 'sub1', command: 'hostname -f' }],
    [
      '-x -p 22 -l me sub1 -n -- ls -l',
      { ...plain, host: 'sub1', user: 'me', port: 22, noInput: true, command: 'ls -l' },
    ],
    ['-o BatchMode=yes -Ti/key work@sub1', { ...plain, host: 'sub1', user: 'work', identity: '/key', command: '' }],
    ['-tt sub1 top', { ...plain, host: 'sub1', terminal: true, command: 'top' }],
  ])('%s', (line, expected) => {
    expect(parseClientArguments(line.split(' '))).toEqual(expected);
  });

  it('says what is missing', () => {
    expect(() => parseClientArguments([])).toThrow('no host');
    expect(() => parseClientArguments(['-p'])).toThrow('-p needs a value');
  });
});
