import { describe, expect, it } from 'vitest';
import { containerCreationFailed, deadlineExceeded, invalidArgument } from '../../domain/error/errors.js';
import { failureOf, pythonRepr } from './failure.js';
import { missingKey, wrongCall } from './wire-errors.js';

describe('failureOf', () => {
  it("writes the agent's errors as the reference writes its own", () => {
    expect(failureOf(containerCreationFailed('Container creation failed. (boom)'))).toEqual([
      'ContainerCreationFailedError',
      '<ContainerCreationFailedError(500): Container creation failed. (boom)>',
      'Container creation failed. (boom)',
    ]);
  });

  it("writes Python's own errors as Python does", () => {
    expect(failureOf(wrongCall("f() missing 1 required positional argument: 'a'"))[1]).toBe(
      `TypeError("f() missing 1 required positional argument: 'a'")`,
    );
    expect(failureOf(missingKey('args'))[1]).toBe("KeyError('args')");
    expect(failureOf(deadlineExceeded('too slow'))[1]).toBe("TimeoutError('too slow')");
  });

  it('says what would have been right, in one line', () => {
    const [, , advice] = failureOf(
      invalidArgument('cpu: wrong', { field: 'cpu', allowed: 'a number', hint: 'send 1' }),
    );
    expect(advice).toBe('cpu: wrong; field: cpu; allowed: a number; hint: send 1');
  });

  it.each([new Error('password=hunter2'), 'password=hunter2', undefined, { password: 'hunter2' }])(
    'tells nothing of an error that is not in the catalogue',
    (error) => {
      const detail = failureOf(error);
      expect(detail[0]).toBe('InternalError');
      expect(detail.join()).not.toContain('hunter2');
    },
  );
});

it.each([
  ['plain', "'plain'"],
  ["it's", `"it's"`],
  [`"it's"`, `'"it\\'s"'`],
  ['a\\b\nc', "'a\\\\b\\nc'"],
])('quotes %j as Python does', (text, repr) => {
  expect(pythonRepr(text)).toBe(repr);
});
