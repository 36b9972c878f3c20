import { expect, it } from 'vitest';
import { uuidOfName } from './uuid-of-name.js';

it('makes the identifiers that others make of the same names', () => {
  expect(uuidOfName('python.org')).toBe('886313e1-3b8a-5372-9b90-0c9aee199e5d');
  expect(uuidOfName('agent/127.0.0.1:16003')).toBe('c259eff0-ea81-558c-a5d5-a13c814f4209');
});
