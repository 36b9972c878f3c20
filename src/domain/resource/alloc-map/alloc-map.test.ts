import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Amount } from '../amount.js';
import type { ComputeDevice, DeviceSharing } from '../device.js';
import { AllocMap, type PlacementOptions } from './alloc-map.js';

const SHARES: DeviceSharing = { kind: 'fraction', strategy: 'EVENLY', quantum: '0.1', minimum: '0.01' };
const WHOLE: DeviceSharing = { kind: 'discrete', strategy: 'EVENLY' };
const free: PlacementOptions = { chosenNodes: [], policy: 'INTERLEAVED', allowFragmentation: true };

/** Devices as the document writes them: `id@node:capacity`. */
function devices(text: string, slotName = 'cuda.shares'): ComputeDevice[] {
  return text.split(' ').map((item) => {
    const [, deviceId = '', node = '', amount = ''] = /^(\w+)@(\w+):([\d.]+)$/.exec(item) ?? [];
    const numaNode = node === 'x' ? null : Number(node);
    return {
      deviceId,
      deviceName: 'cuda',
      slotName,
      amount,
      numaNode,
      modelName: '',
      hwLocation: '',
      memoryBytes: 0,
      processingUnits: 0,
    };
  });
}

function mapOf(text: string, sharing: DeviceSharing, used: Record<string, string> = {}): AllocMap {
  const map = new AllocMap('cuda', devices(text), sharing, { 'cuda.shares': 'count' }, ({ amount }) =>
    Amount.parse(amount),
  );
  map.apply({ 'cuda.shares': used });
  return map;
}

function choose(map: AllocMap, request: string, options: Partial<PlacementOptions> = {}): Record<string, string> {
  return map.choose('cuda.shares', Amount.parse(request), { ...free, ...options });
}

describe('fraction map, EVENLY (26.9.6)', () => {
  it.each(['INTERLEAVED', 'PREFER_SINGLE_NODE'] as const)('gives the executed examples under %s', (policy) => {
    expect(choose(mapOf('0@0:1 1@1:1 2@0:1 3@1:1', SHARES), '2', { policy })).toEqual({ 0: '1', 2: '1' });
    expect(choose(mapOf('0@0:1 1@1:1', SHARES), '0.3', { policy })).toEqual({ 1: '0.3' });
    // The reference grants 0.7 and 0.7 of the 1.5 asked for.
    expect(choose(mapOf('0@0:1 1@0:0.5 2@1:1 3@1:1', SHARES), '1.5', { policy })).toEqual({ 2: '0.8', 3: '0.7' });
  });

  it('fits a small request into the fullest device that holds it', () => {
    expect(choose(mapOf('0@0:1 1@0:1 2@1:1', SHARES, { 0: '0.3', 1: '0.6', 2: '0.7' }), '0.4')).toEqual({ 1: '0.4' });
  });

  it('prefers an even placement over nodes to an uneven one within', () => {
    expect(choose(mapOf('0@0:1 1@0:0.2 2@1:1 3@1:0.2', SHARES), '1.2')).toEqual({ 0: '0.6', 2: '0.6' });
  });

  it.each([
    ['0.35', 'NotMultipleOfQuantum'],
    ['2.1', 'InsufficientResource'],
  ])('refuses %s', (request, name) => {
    expect(() => choose(mapOf('0@0:1 1@1:1', SHARES), request)).toThrow(
      expect.objectContaining({ name, field: 'resource_slots.cuda.shares' }),
    );
  });

  it('refuses when there is no device at all', () => {
    const map = new AllocMap('cuda', [], SHARES, {}, () => Amount.ZERO);
    expect(() => choose(map, '0.1')).toThrow(/0 available/);
  });
});

describe('fraction map without fragmentation', () => {
  const whole = { allowFragmentation: false };

  it('gives equal shares on as few devices as the size needs, on one node if possible', () => {
    expect(choose(mapOf('0@0:1 1@1:1 2@1:1', SHARES), '1.5', whole)).toEqual({ 2: '0.8', 1: '0.7' });
    expect(choose(mapOf('0@0:1 1@1:1', SHARES, { 0: '0.5' }), '0.5', whole)).toEqual({ 0: '0.5' });
  });

  it('refuses what only fits in pieces', () => {
    const map = mapOf('0@0:1 1@1:1', SHARES, { 0: '0.5', 1: '0.5' });
    expect(() => choose(map, '0.8', whole)).toThrow(expect.objectContaining({ name: 'FractionalResourceFragmented' }));
    expect(choose(map, '0.8')).toEqual({ 0: '0.4', 1: '0.4' });
  });
});

describe('discrete map', () => {
  it('spreads evenly, the remainder to the first', () => {
    expect(choose(mapOf('0@x:4 1@x:4 2@x:4', WHOLE), '5')).toEqual({ 0: '2', 1: '2', 2: '1' });
    expect(choose(mapOf('0@x:1 1@x:1 2@x:9', WHOLE), '9')).toEqual({ 2: '7', 0: '1', 1: '1' });
  });

  it('fills one device after the other', () => {
    const fill = { kind: 'discrete', strategy: 'FILL' } as const;
    expect(choose(mapOf('0@x:2 1@x:4', fill), '5')).toEqual({ 1: '4', 0: '1' });
  });

  it('refuses a part of a device', () => {
    expect(() => choose(mapOf('0@x:4', WHOLE), '1.5')).toThrow(
      expect.objectContaining({ name: 'NotMultipleOfQuantum', hint: 'ask for 2' }),
    );
  });

  it('tells slot, requested and available', () => {
    expect(() => choose(mapOf('0@x:4', WHOLE, { 0: '1' }), '1000')).toThrow(
      'cuda.shares: 1000 requested, 3 available (4 in all)',
    );
  });
});

describe('affinity', () => {
  const four = '0@0:1 1@0:1 2@1:1 3@1:1';
  const keys = (placement: Record<string, string>): string[] => Object.keys(placement);

  it('takes nodes in turn, or one after the other', () => {
    expect(keys(choose(mapOf(four, WHOLE), '2'))).toEqual(['0', '2']);
    expect(keys(choose(mapOf(four, WHOLE), '2', { policy: 'PREFER_SINGLE_NODE' }))).toEqual(['0', '1']);
  });

  it('prefers the node that has given less', () => {
    expect(keys(choose(mapOf(four, WHOLE, { 0: '1' }), '1'))).toEqual(['2']);
  });

  it('prefers the larger node when nothing is given', () => {
    expect(keys(choose(mapOf('0@0:1 1@1:1 2@1:1', WHOLE), '1'))).toEqual(['1']);
  });

  it('follows the nodes chosen before, others come last', () => {
    expect(keys(choose(mapOf(four, WHOLE), '2', { chosenNodes: [1] })).sort()).toEqual(['2', '3']);
    expect(keys(choose(mapOf(four, WHOLE), '3', { chosenNodes: [1] })).sort()).toEqual(['0', '2', '3']);
  });

  it('does not fail when no device is on a chosen node', () => {
    expect(keys(choose(mapOf('0@0:1', WHOLE), '1', { chosenNodes: [7] }))).toEqual(['0']);
  });
});

describe('every placement', () => {
  const sharing = fc.constantFrom<DeviceSharing>(
    WHOLE,
    { kind: 'discrete', strategy: 'FILL' },
    SHARES,
    { ...SHARES, strategy: 'FILL' },
    { ...SHARES, quantum: '0.01', minimum: '0.05' },
    { ...SHARES, quantum: '0.25' },
  );
  const device = fc.record({
    node: fc.constantFrom(0, 1, 2, null),
    hundredths: fc.integer({ min: 0, max: 400 }),
    usedPart: fc.integer({ min: 0, max: 100 }),
  });

  it('gives exactly what was asked, never more than a device has, or refuses and says why', () => {
    fc.assert(
      fc.property(
        sharing,
        fc.array(device, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.constantFrom(0, 1, 2), { maxLength: 2 }),
        fc.boolean(),
        fc.constantFrom('INTERLEAVED', 'PREFER_SINGLE_NODE'),
        (how, parts, quanta, chosenNodes, allowFragmentation, policy) => {
          const quantum = Amount.parse(how.kind === 'discrete' ? '1' : how.quantum);
          const cent = Amount.parse('0.01');
          const supply = devices(parts.map((p, i) => `${i}@${p.node ?? 'x'}:${p.hundredths / 100}`).join(' '));
          const room = parts.map(({ hundredths, usedPart }) => {
            const capacity = Amount.of(hundredths).times(cent).floorTo(quantum);
            const used = capacity.times(Amount.of(usedPart)).times(cent).floorTo(quantum);
            return { used, left: capacity.minus(used) };
          });
          const map = new AllocMap('cuda', supply, how, {}, ({ amount }) => Amount.parse(amount));
          map.apply({ 'cuda.shares': Object.fromEntries(room.map(({ used }, i) => [String(i), used.toString()])) });
          const request = quantum.times(Amount.of(quanta));
          const options = { chosenNodes, allowFragmentation, policy };
          const total = Amount.sum(room.map(({ left }) => left));
          let placement: Readonly<Record<string, string>>;
          try {
            placement = map.choose('cuda.shares', request, options);
          } catch (error) {
            const enough = total.compare(request) >= 0;
            const scraps = how.kind === 'fraction' && (!allowFragmentation || how.minimum !== '0.01');
            expect(!enough || scraps).toBe(true);
            expect((error as Error).name).toMatch(/^(InsufficientResource|FractionalResourceFragmented)$/);
            return;
          }
          const given = Object.entries(placement).map(([id, text]) => ({ id: Number(id), amount: Amount.parse(text) }));
          expect(Amount.sum(given.map(({ amount }) => amount)).toString()).toBe(request.toString());
          for (const { id, amount } of given) {
            expect(amount.isPositive && amount.isMultipleOf(quantum)).toBe(true);
            expect(amount.compare(room[id]!.left)).toBeLessThanOrEqual(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
