import { describe, expect, it } from 'vitest';
import { isKernelImage } from './installed-image.js';

describe('isKernelImage', () => {
  it.each([
    ['registry.example.com/stable/python:3.12', { 'ai.backend.kernelspec': '1' }, true],
    ['python:3.12', { maintainer: 'somebody' }, true],
    ['127.0.0.1:5000/a/b/c:1', { 'ai.backend.kernelspec': ' 01 ' }, true],
    ['python:3.12', {}, false],
    ['python:3.12', { 'ai.backend.kernelspec': '2' }, false],
    ['python:3.12', { 'ai.backend.kernelspec': '0' }, false],
    ['python:3.12', { 'ai.backend.kernelspec': 'one' }, false],
    ['python:3.12-', { 'ai.backend.kernelspec': '1' }, false],
    ['python:_3', { 'ai.backend.kernelspec': '1' }, false],
    ['Python:3.12', { 'ai.backend.kernelspec': '1' }, false],
    ['<none>:<none>', { 'ai.backend.kernelspec': '1' }, false],
  ])('%s with %j: %s', (name, labels, expected) => {
    expect(isKernelImage(name, labels)).toBe(expected);
  });
});
