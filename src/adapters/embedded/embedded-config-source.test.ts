import { describe, expect, it } from 'vitest';
import { EmbeddedConfigSource } from './embedded-config-source.adapter.js';

const signal = new AbortController().signal;

describe('EmbeddedConfigSource', () => {
  const source = new EmbeddedConfigSource({
    config: {
      redis: { addr: '127.0.0.1:6379', sentinel: ['a:1', 'b:2'], override_configs: { live: { addr: 'x:1' } } },
      redistribute: { on: true },
      limit: 5,
      nothing: null,
    },
  });

  it('flattens tables to paths below the prefix, values to text', async () => {
    expect(await source.getPrefix('config/redis', signal)).toEqual({
      ...{ addr: '127.0.0.1:6379', sentinel: 'a:1,b:2', 'override_configs/live/addr': 'x:1' },
    });
    expect(await source.getPrefix('/config/redistribute/', signal)).toEqual({ on: 'true' });
  });

  it('knows everything below the empty prefix, and nothing below an unknown one', async () => {
    expect(Object.keys(await source.getPrefix('', signal))).toContain('config/limit');
    expect(await source.getPrefix('config/red', signal)).toEqual({});
    expect(await new EmbeddedConfigSource().getPrefix('', signal)).toEqual({});
  });

  it('is always there, but obeys its signal', async () => {
    expect(await source.probe(signal)).toBe(0);
    await expect(source.getPrefix('', AbortSignal.abort())).rejects.toThrow();
    await expect(source.probe(AbortSignal.abort())).rejects.toThrow();
  });
});
