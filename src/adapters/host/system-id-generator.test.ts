import { describe, expect, it } from 'vitest';
import { SystemIdGenerator } from './system-id-generator.adapter.js';

describe('SystemIdGenerator', () => {
  const ids = new SystemIdGenerator();

  it('makes UUIDs that differ', () => {
    const made = Array.from({ length: 1000 }, () => ids.uuid());
    expect(new Set(made).size).toBe(1000);
    for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('makes hex of the asked length', () => {
    expect(ids.hex(16)).toMatch(/^[0-9a-f]{32}$/);
    expect(ids.hex(16)).not.toBe(ids.hex(16));
    expect(ids.hex(0)).toBe('');
  });
});
