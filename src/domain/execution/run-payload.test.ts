import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExitCode, parseInputOptions, parseMedia } from './run-payload.js';

describe('parseMedia', () => {
  it.each([
    ['{"type": "image/svg+xml", "data": "<svg/>"}', ['media', ['image/svg+xml', '<svg/>']]],
    ['{"type": "application/json", "data": {"a": 1}}', ['media', ['application/json', '{"a":1}']]],
    ['{"type": "text/plain", "data": "\\ud83d"}', ['media', ['text/plain', '\uFFFD']]],
    ['{"type": "text/plain", "data": "\\ud83d\\ude00"}', ['media', ['text/plain', '😀']]],
    ['<b>x</b>', ['html', '<b>x</b>']],
    ['{"type": 1, "data": ""}', ['html', '{"type": 1, "data": ""}']],
    ['{"type": "a"}', ['html', '{"type": "a"}']],
    ['"text"', ['html', '"text"']],
    ['null', ['html', 'null']],
  ])('reads %s', (payload, item) => {
    expect(parseMedia(payload)).toEqual(item);
  });
});

describe('parseExitCode', () => {
  it.each([
    ['{"exitCode": 0}', 0],
    ['{"exitCode": -9}', -9],
    ['{"exitCode": 127}', 127],
    ['{}', null],
    ['', null],
    ['[]', null],
    ['{"exitCode": "0"}', null],
    ['{"exitCode": 1.5}', null],
    ['{"exitCode": 1e300}', null],
    ['{"exitCode": null}', null],
  ])('reads %s as %s', (payload, code) => {
    expect(parseExitCode(payload)).toBe(code);
  });
});

describe('parseInputOptions', () => {
  it.each([
    ['{"is_password": true}', { is_password: true }],
    ['{"is_password": false, "other": 1}', { is_password: false }],
    ['', {}],
    ['{"is_password": "yes"}', {}],
    ['not json', {}],
  ])('reads %j', (payload, options) => {
    expect(parseInputOptions(payload)).toEqual(options);
  });
});

it('throws on nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (payload) => {
      parseMedia(payload);
      parseExitCode(payload);
      parseInputOptions(payload);
    }),
  );
});
