import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAgentError } from '../../src/domain/error/agent-error.js';
import { type KernelId, parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import { type DeviceSupply, ResourceBook } from '../../src/domain/resource/allocator.js';
import { Amount } from '../../src/domain/resource/amount.js';
import type { Allocation, ComputeDevice, DeviceSharing, SlotType } from '../../src/domain/resource/device.js';

const KERNELS = Array.from({ length: 50 }, (_, i) =>
  parseKernelId(`${String(i).padStart(8, '0')}-0000-4000-8000-000000000000`),
);
const UNITS: Record<string, string> = { cpu: '1', mem: '1048576', 'mock.device': '1', 'frac.shares': '0.1' };

interface Machine {
  readonly cores: number;
  readonly reservedCores: number;
  readonly mebibytes: number;
  readonly gpus: number;
  readonly shares: readonly number[];
  readonly nodes: number;
  readonly policy: 'INTERLEAVED' | 'PREFER_SINGLE_NODE';
}

type Command =
  | {
      readonly do: 'create';
      readonly kernel: number;
      readonly amounts: Readonly<Record<string, number>>;
      readonly loose: boolean;
    }
  | { readonly do: 'destroy'; readonly kernel: number }
  | { readonly do: 'adopt'; readonly kernel: number };

const machine = fc.record<Machine>({
  cores: fc.integer({ min: 2, max: 12 }),
  reservedCores: fc.integer({ min: 0, max: 1 }),
  mebibytes: fc.integer({ min: 64, max: 4096 }),
  gpus: fc.integer({ min: 0, max: 4 }),
  shares: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 4 }),
  nodes: fc.integer({ min: 1, max: 3 }),
  policy: fc.constantFrom('INTERLEAVED', 'PREFER_SINGLE_NODE'),
});
const kernel = fc.integer({ min: 0, max: KERNELS.length - 1 });
const create = fc.record({
  do: fc.constant('create' as const),
  kernel,
  loose: fc.boolean(),
  amounts: fc.record({
    cpu: fc.integer({ min: 1, max: 4 }),
    mem: fc.integer({ min: 1, max: 1024 }),
    'mock.device': fc.integer({ min: 0, max: 2 }),
    'frac.shares': fc.integer({ min: 0, max: 25 }),
  }),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: create },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('destroy' as const), kernel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('adopt' as const), kernel }) },
);

function supply(
  name: string,
  slot: string,
  type: SlotType,
  sharing: DeviceSharing,
  devices: readonly (readonly [id: string, amount: string, node: number])[],
): DeviceSupply {
  const made = devices.map(([deviceId, amount, numaNode]): ComputeDevice => {
    return {
      deviceId,
      deviceName: name,
      slotName: slot,
      amount,
      numaNode,
      modelName: '',
      hwLocation: '',
      memoryBytes: 0,
      processingUnits: 0,
    };
  });
  return { deviceName: name, slotTypes: { [slot]: type }, sharing, devices: made };
}

function suppliesOf({ cores, mebibytes, gpus, shares, nodes }: Machine): DeviceSupply[] {
  const numbered = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  const discrete = (strategy: 'FILL' | 'EVENLY'): DeviceSharing => ({ kind: 'discrete', strategy });
  const fraction: DeviceSharing = { kind: 'fraction', strategy: 'EVENLY', quantum: '0.1', minimum: '0.01' };
  return [
    supply(
      'mock',
      'mock.device',
      'count',
      discrete('EVENLY'),
      numbered(gpus).map((i) => [`g${i}`, '1', i % nodes]),
    ),
    supply(
      'frac',
      'frac.shares',
      'count',
      fraction,
      shares.map((n, i) => [`f${i}`, String(n / 10), i % nodes]),
    ),
    supply(
      'cpu',
      'cpu',
      'count',
      discrete('EVENLY'),
      numbered(cores).map((i) => [String(i), '1', i % nodes]),
    ),
    supply('mem', 'mem', 'bytes', discrete('FILL'), [['root', String(mebibytes * 1_048_576), 0]]),
  ];
}

describe('ResourceBook under random creates, destroys and adoptions', () => {
  it('is never negative, never double-books, and always adds up', () => {
    fc.assert(
      fc.property(machine, fc.array(command, { minLength: 20, maxLength: 120 }), (spec, commands) => {
        const supplies = suppliesOf(spec);
        const book = new ResourceBook({
          supplies,
          reserved: { cpu: String(spec.reservedCores) },
          memoryAlignBytes: 0,
          allocationOrder: ['mock', 'cpu', 'mem'],
          affinityPolicy: spec.policy,
        });
        const model = new Map<KernelId, Allocation>();
        for (const step of commands) {
          apply(step, book, model);
          check(book, model, supplies);
        }
        for (const id of KERNELS) book.release(id);
        expect(book.available()).toEqual(book.totals());
      }),
      { numRuns: 100 },
    );
  });
});

function apply(step: Command, book: ResourceBook, model: Map<KernelId, Allocation>): void {
  const id = KERNELS[step.kernel]!;
  if (step.do === 'destroy') {
    book.release(id);
    model.delete(id);
    return;
  }
  if (step.do === 'adopt') {
    const held = model.get(id);
    if (held) expect(book.restore(id, held)).toEqual([]);
    return;
  }
  const slots = Object.fromEntries(
    Object.entries(step.amounts).map(([slot, n]) => [slot, Amount.of(n).times(Amount.parse(UNITS[slot]!)).toString()]),
  );
  const before = [book.available(), book.occupied()];
  try {
    const allocation = book.allocate(id, slots, { allowFractionalFragmentation: step.loose });
    expect(model.has(id)).toBe(false);
    for (const [slot, text] of Object.entries(slots))
      expect(sumOf(allocation, slot).equals(Amount.parse(text))).toBe(true);
    model.set(id, allocation);
  } catch (error) {
    if (!isAgentError(error)) throw error;
    expect([book.available(), book.occupied()]).toEqual(before);
    refusedWithReason(error.name, slots, book, model.has(id), step.loose);
  }
}

/** A refusal must be true: something asked for is not there. */
function refusedWithReason(
  name: string,
  slots: Readonly<Record<string, string>>,
  book: ResourceBook,
  exists: boolean,
  loose: boolean,
): void {
  const available = book.available();
  const lacks = Object.entries(slots).some(
    ([slot, text]) => Amount.parse(text).compare(Amount.parse(available[slot]!)) > 0,
  );
  if (name === 'ResourceError') expect(exists).toBe(true);
  else if (name === 'FractionalResourceFragmented') expect(loose).toBe(false);
  else expect(lacks).toBe(true);
}

function check(book: ResourceBook, model: ReadonlyMap<KernelId, Allocation>, supplies: readonly DeviceSupply[]): void {
  const [total, occupied, available] = [book.totals(), book.occupied(), book.available()];
  for (const { deviceName, slotTypes, devices } of supplies) {
    const slot = Object.keys(slotTypes)[0]!;
    const read = (from: Record<string, string>): Amount => Amount.parse(from[slot]!);
    expect(read(available).isNegative).toBe(false);
    expect(read(occupied).plus(read(available)).equals(read(total))).toBe(true);
    expect(Amount.sum([...model.values()].map((held) => sumOf(held, slot))).equals(read(occupied))).toBe(true);
    for (const { deviceId, amount } of devices) {
      const held = [...model.values()].map((allocation) =>
        Amount.parse(allocation[deviceName]?.[slot]?.[deviceId] ?? '0'),
      );
      expect(Amount.sum(held).compare(Amount.parse(amount))).toBeLessThanOrEqual(0);
      if (slot === 'cpu' || slot === 'mock.device')
        expect(held.filter((share) => share.isPositive).length).toBeLessThanOrEqual(1);
    }
  }
}

function sumOf(allocation: Allocation, slot: string): Amount {
  const shares = Object.values(allocation).flatMap((slots) => Object.values(slots[slot] ?? {}));
  return Amount.sum(shares.map((text) => Amount.parse(text)));
}
