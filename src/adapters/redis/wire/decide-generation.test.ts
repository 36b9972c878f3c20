import { describe, expect, it } from 'vitest';
import { decideGeneration, type StreamSample } from './decide-generation.js';

const NOW_MS = 1_000_000;
const of = (kind: 'A' | 'B' | 'both', options: { name?: string; ageMs?: number } = {}): StreamSample => ({
  ...{ id: `${NOW_MS - (options.ageMs ?? 0)}-0`, name: options.name ?? 'do_schedule' },
  ...{ hasArgs: kind !== 'B', hasPayload: kind !== 'A' },
});

describe('decideGeneration', () => {
  it.each([
    ['nothing is there', [], 'dual'],
    ['a Manager of generation A ticks', [of('A'), of('A')], 'A'],
    ['a Manager of generation B ticks', [of('B')], 'B'],
    ['Managers of both generations tick', [of('A'), of('B')], 'dual'],
    ['the other generation is gone for some time', [of('B'), of('A', { ageMs: 31_000 })], 'B'],
    ['all Managers are gone for some time', [of('B', { ageMs: 31_000 })], 'dual'],
    ['only agents speak', [of('A', { name: 'agent_heartbeat' }), of('A', { name: 'kernel_started' })], 'dual'],
    ['agents speak otherwise than the Manager', [of('B'), of('A', { name: 'agent_heartbeat' })], 'B'],
    ['somebody speaks both', [of('both'), of('B')], 'B'],
  ] as const)('%s', (_title, samples, expected) => {
    expect(decideGeneration(samples, NOW_MS)).toBe(expected);
  });
});
