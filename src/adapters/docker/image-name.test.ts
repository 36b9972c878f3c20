import { describe, expect, it } from 'vitest';
import { checkReference, parseImageName } from './image-name.js';

describe('parseImageName', () => {
  it.each([
    ['python', 'python', 'latest', 'docker.io', false],
    ['python:3.12', 'python', '3.12', 'docker.io', false],
    ['stable/python:3', 'stable/python', '3', 'docker.io', false],
    ['cr.example.com/stable/python:3', 'cr.example.com/stable/python', '3', 'cr.example.com', false],
    ['localhost/x', 'localhost/x', 'latest', 'localhost', false],
    ['host:5000/x', 'host:5000/x', 'latest', 'host:5000', false],
    ['host:5000/x:1', 'host:5000/x', '1', 'host:5000', false],
    ['x@sha256:abc', 'x', 'sha256:abc', 'docker.io', true],
    ['x:1@sha256:abc', 'x', 'sha256:abc', 'docker.io', true],
  ])('%s', (reference, repository, version, registry, isDigest) => {
    expect(parseImageName(reference)).toEqual({ repository, version, registry, isDigest });
  });

  it.each(['', '../containers/json', 'a/../b', 'a?b', 'a b', 'a#b', '-x', 'a\n', 'ä', 'x'.repeat(2000)])(
    'refuses %j',
    (reference) => expect(() => checkReference(reference)).toThrow('Not an image reference'),
  );

  it('takes an image id', () => {
    expect(() => checkReference(`sha256:${'a'.repeat(64)}`)).not.toThrow();
  });
});
