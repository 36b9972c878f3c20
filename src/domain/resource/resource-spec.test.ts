import { describe, expect, it } from 'vitest';
import { MIN_MEMORY_BYTES, normaliseSlots, type SlotRules, unifiedDevices } from './resource-spec.js';

const rules: SlotRules = {
  slotTypes: {
    cpu: 'count',
    mem: 'bytes',
    'cuda.device': 'count',
    'cuda.shares': 'count',
    'cuda.device:1g.5gb-mig': 'unique',
    'hook.always': 'unified',
  },
  exclusiveSlots: [['cuda.device', 'cuda.shares', 'cuda.device:*-mig'], []],
  minMemoryBytes: MIN_MEMORY_BYTES,
};
const base = { cpu: '1', mem: '512m' };

describe('normaliseSlots', () => {
  it('fills every known slot and drops unknown zeros', () => {
    expect(normaliseSlots({ ...base, 'rocm.device': '0', 'tpu.device': '0E-8' }, rules)).toEqual({
      cpu: '1',
      mem: '536870912',
      'cuda.device': '0',
      'cuda.shares': '0',
      'cuda.device:1g.5gb-mig': '0',
      'hook.always': '0',
    });
  });

  it.each([
    ['1073741824', '1073741824'],
    ['1E+9', '1000000000'],
    ['1.5G', '1610612736'],
    ['536870912.0', '536870912'],
  ])('reads memory %s', (mem, bytes) => {
    expect(normaliseSlots({ cpu: '1', mem }, rules)['mem']).toBe(bytes);
  });

  it.each<[string, Record<string, string>, string, string]>([
    ['no cpu', { mem: '1g' }, 'UnsupportedResource', 'resource_slots.cpu'],
    ['no memory', { cpu: '1' }, 'UnsupportedResource', 'resource_slots.mem'],
    ['an unknown slot', { ...base, 'rocm.device': '1' }, 'UnsupportedResource', 'resource_slots.rocm.device'],
    [
      'an unknown slot without a number',
      { ...base, 'rocm.device': '' },
      'UnsupportedResource',
      'resource_slots.rocm.device',
    ],
    ['no core', { ...base, cpu: '0' }, 'InvalidResourceArgument', 'resource_slots.cpu'],
    ['a negative amount', { ...base, cpu: '-1' }, 'InvalidResourceArgument', 'resource_slots.cpu'],
    ['a part of a core', { ...base, cpu: '1.5' }, 'InvalidResourceArgument', 'resource_slots.cpu'],
    ['NaN', { ...base, 'cuda.shares': 'NaN' }, 'InvalidResourceArgument', 'resource_slots.cuda.shares'],
    ['Infinity', { ...base, mem: 'Infinity' }, 'InvalidResourceArgument', 'resource_slots.mem'],
    ['apples', { ...base, mem: '12 apples' }, 'InvalidResourceArgument', 'resource_slots.mem'],
    ['too little memory', { ...base, mem: '32m' }, 'InvalidResourceArgument', 'resource_slots.mem'],
    [
      'two of a unique device',
      { ...base, 'cuda.device:1g.5gb-mig': '2' },
      'InvalidResourceArgument',
      'resource_slots.cuda.device:1g.5gb-mig',
    ],
    [
      'exclusive slots',
      { ...base, 'cuda.device': '1', 'cuda.shares': '1' },
      'InvalidResourceCombination',
      'resource_slots.cuda.shares',
    ],
    [
      'exclusive by glob',
      { ...base, 'cuda.device': '1', 'cuda.device:1g.5gb-mig': '1' },
      'InvalidResourceCombination',
      'resource_slots.cuda.device:1g.5gb-mig',
    ],
    [
      'a slot that is only inherited',
      { ...base, constructor: '1' },
      'UnsupportedResource',
      'resource_slots.constructor',
    ],
  ])('refuses %s', (_, requested, name, field) => {
    expect(() => normaliseSlots(requested, rules)).toThrow(expect.objectContaining({ name, field }));
  });

  it('takes an exclusive slot beside zeros of the others', () => {
    expect(normaliseSlots({ ...base, 'cuda.device': '0', 'cuda.shares': '1.5' }, rules)['cuda.shares']).toBe('1.5');
  });

  it('asks for the minimum of the image where that is more', () => {
    expect(() => normaliseSlots({ cpu: '1', mem: '256m' }, { ...rules, minMemoryBytes: 1n << 30n })).toThrow(
      /at least|needs \(1g\)/,
    );
  });
});

it('lists what is attached without accounting', () => {
  expect(unifiedDevices(rules.slotTypes)).toEqual([['hook', 'hook.always']]);
});
