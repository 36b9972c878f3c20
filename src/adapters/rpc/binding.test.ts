import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bindArguments, readEnvelope, type Signature } from './binding.js';

const F: Signature = { method: 'f', required: ['a', 'b', 'c'], optional: ['d', 'agent_id'] };
const bind = (args: unknown[], kwargs: Record<string, unknown> = {}, signature = F): unknown =>
  bindArguments(signature, { args, kwargs, metadata: null });
const typeError = (message: string): unknown => expect.objectContaining({ name: 'TypeError', message });

describe('bindArguments', () => {
  it('takes arguments by position and by name', () => {
    expect(bind([1, 2], { c: 3, agent_id: 'i' })).toEqual({ a: 1, b: 2, c: 3, agent_id: 'i' });
    expect(bind([], { b: 2, c: 3, a: 1 })).toEqual({ a: 1, b: 2, c: 3 });
    expect(bind([1, 2, 3, 4, 5])).toEqual({ a: 1, b: 2, c: 3, d: 4, agent_id: 5 });
  });

  it('ignores names it does not know, also those of every object', () => {
    expect(bind([1, 2, 3], { zzz: 1, toString: 2 })).toEqual({ a: 1, b: 2, c: 3 });
  });

  it.each<[unknown[], Record<string, unknown>, string]>([
    [[], {}, "f() missing 3 required positional arguments: 'a', 'b', and 'c'"],
    [[1], {}, "f() missing 2 required positional arguments: 'b' and 'c'"],
    [[1, 2], { d: 4 }, "f() missing 1 required positional argument: 'c'"],
    [[1, 2, 3], { a: 1 }, "f() got multiple values for argument 'a'"],
    [[1, 2, 3, 4, 5, 6], {}, 'f() takes from 3 to 5 positional arguments but 6 were given'],
  ])('says of %j and %j what Python says', (args, kwargs, message) => {
    expect(() => bind(args, kwargs)).toThrow(typeError(message));
  });

  it('counts like Python where there is one or no parameter', () => {
    const ping = { method: 'ping', required: ['msg'], optional: [] };
    expect(() => bind([], {}, ping)).toThrow(typeError("ping() missing 1 required positional argument: 'msg'"));
    expect(() => bind([1, 2], {}, ping)).toThrow(typeError('ping() takes 1 positional argument but 2 were given'));
    expect(() => bind([1], {}, { ...ping, required: [] })).toThrow(
      typeError('ping() takes 0 positional arguments but 1 was given'),
    );
  });

  it('binds the same however the arguments are split between positions and names', () => {
    const names = ['a', 'b', 'c', 'd', 'agent_id'];
    fc.assert(
      fc.property(fc.array(fc.anything(), { minLength: 3, maxLength: 5 }), fc.nat(5), (values, split) => {
        const kwargs: Record<string, unknown> = Object.fromEntries(
          values.map((value, i) => [names[i], value] as const).slice(split),
        );
        expect(bind(values.slice(0, split), kwargs)).toEqual(bind(values));
      }),
    );
  });
});

describe('readEnvelope', () => {
  it('reads both generations and the empty one', () => {
    expect(readEnvelope({ args: [1], kwargs: {} })).toEqual({ args: [1], kwargs: {}, metadata: undefined });
    expect(readEnvelope({ args: [], kwargs: {}, metadata: 5, more: 1 })).toMatchObject({ metadata: 5 });
    expect(readEnvelope(null)).toEqual({ args: [], kwargs: {}, metadata: null });
  });

  it.each([
    [{}, 'KeyError'],
    [{ args: [] }, 'KeyError'],
    [7, 'TypeError'],
    [[], 'TypeError'],
    [{ args: {}, kwargs: {} }, 'ValueError'],
    [{ args: [], kwargs: [] }, 'ValueError'],
  ])('refuses %j with a %s', (document, name) => {
    expect(() => readEnvelope(document)).toThrow(expect.objectContaining({ name }));
  });
});
