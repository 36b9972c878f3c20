import { invalidResourceArgument, invalidResourceCombination, unsupportedResource } from '../error/errors.js';
import { Amount } from './amount.js';
import { formatBinarySize, parseBinarySize } from './binary-size.js';
import type { SlotType } from './device.js';

/** What the node knows of its slots, merged over all plug-ins. */
export interface SlotRules {
  readonly slotTypes: Readonly<Record<string, SlotType>>;
  /** Groups of slots, one a plug-in, as exact names or globs with `*`: of a group only one may be asked for. */
  readonly exclusiveSlots: readonly (readonly string[])[];
  /** Least memory of a kernel: what the runner needs, or more if the image's label asks for it. */
  readonly minMemoryBytes: bigint;
}

/** The in-container runner and a language kernel do not start in less. */
export const MIN_MEMORY_BYTES = 64n * 1024n * 1024n;

/** Slots that every kernel must ask for (lifecycle.md §1.7). */
const REQUIRED = ['cpu', 'mem'];
const MAX_SLOTS = 256;

/**
 * Normalises the slots of a request (lifecycle.md §1.7): slot → decimal text for *every* known slot, zero where nothing was
 * asked. Throws UnsupportedResource, InvalidResourceArgument or InvalidResourceCombination, naming `resource_slots.<slot>`.
 */
export function normaliseSlots(requested: Readonly<Record<string, string>>, rules: SlotRules): Record<string, string> {
  if (Object.keys(requested).length > MAX_SLOTS) {
    throw invalidResourceArgument(`more than ${MAX_SLOTS} slots requested`, { field: 'resource_slots' });
  }
  for (const slot of REQUIRED) {
    if (!Object.hasOwn(requested, slot)) {
      throw unsupportedResource(`resource slot '${slot}' is missing`, {
        field: `resource_slots.${slot}`,
        allowed: slot === 'mem' ? 'a size such as 512m' : 'a whole number of cores',
      });
    }
  }
  const slots: Record<string, string> = {};
  for (const [slot, type] of Object.entries(rules.slotTypes)) {
    const text = Object.hasOwn(requested, slot) ? requested[slot] : undefined;
    slots[slot] = text === undefined ? '0' : parseSlot(slot, text, type).toString();
  }
  for (const [slot, text] of Object.entries(requested)) {
    if (!Object.hasOwn(rules.slotTypes, slot)) refuseUnlessZero(slot, text, Object.keys(rules.slotTypes));
  }
  checkCores(slots['cpu']);
  checkMemory(slots['mem'], rules.minMemoryBytes);
  checkExclusive(slots, rules.exclusiveSlots);
  return slots;
}

/** `[device name, slot name]` of slots that every kernel gets without accounting (lifecycle.md §1.7). */
export function unifiedDevices(slotTypes: Readonly<Record<string, SlotType>>): (readonly [string, string])[] {
  return Object.entries(slotTypes)
    .filter(([, type]) => type === 'unified')
    .map(([slot]) => [deviceNameOf(slot), slot] as const);
}

/** The device name of a slot: what stands before its first dot. */
export function deviceNameOf(slotName: string): string {
  return slotName.split('.', 1)[0] ?? slotName;
}

function parseSlot(slot: string, text: string, type: SlotType): Amount {
  const field = `resource_slots.${slot}`;
  const trimmed = text.trim();
  if (/^[+-]?(?:s?nan|inf(?:inity)?)\d*$/i.test(trimmed)) {
    throw invalidResourceArgument(`${slot}: '${trimmed.slice(0, 16)}' is not an amount that can be given`, {
      field,
      allowed: 'a finite number',
    });
  }
  if (trimmed.startsWith('-') && !/^-[0.]*$/.test(trimmed)) {
    throw invalidResourceArgument(`${slot}: '${trimmed.slice(0, 64)}' is negative`, { field, allowed: 'zero or more' });
  }
  const amount = type === 'bytes' ? parseBytes(trimmed, field) : Amount.parse(trimmed, field);
  if (type === 'unique' && !amount.isZero && !amount.equals(Amount.ONE)) {
    throw invalidResourceArgument(`${slot}: ${amount.toString()} requested of a device that can't be shared or added`, {
      field,
      allowed: '0 or 1',
    });
  }
  return amount;
}

/** Sizes, and whole numbers in the exponent form in which Python prints some decimals (`1E+9`). */
function parseBytes(text: string, field: string): Amount {
  if (/^[+-]?[\d.]+(?:[eE][+-]?\d+)?$/.test(text)) {
    const amount = Amount.parse(text, field);
    if (amount.isMultipleOf(Amount.ONE)) return amount;
  }
  return Amount.of(parseBinarySize(text, field));
}

function refuseUnlessZero(slot: string, text: string, known: readonly string[]): void {
  const field = `resource_slots.${slot.slice(0, 64)}`;
  if (!/^[+-]?0*(?:\.0*)?(?:[eE][+-]?\d{1,3})?$/.test(text.trim()) || text.trim() === '') {
    throw unsupportedResource(`resource slot '${slot.slice(0, 64)}' is unknown on this node`, {
      field,
      allowed: known.join(', '),
    });
  }
}

function checkCores(text: string | undefined): void {
  const cores = Amount.parse(text ?? '0');
  if (!cores.isPositive) {
    throw invalidResourceArgument('cpu: a kernel needs at least one core', {
      field: 'resource_slots.cpu',
      allowed: 'a whole number from 1',
    });
  }
  // The reference silently gives 1 core to who asks for 1.5.
  if (!cores.isMultipleOf(Amount.ONE)) {
    throw invalidResourceArgument(`cpu: ${cores.toString()} is not a whole number of cores`, {
      field: 'resource_slots.cpu',
      allowed: 'a whole number from 1',
    });
  }
}

function checkMemory(text: string | undefined, minimum: bigint): void {
  const bytes = Amount.parse(text ?? '0').quanta(Amount.ONE);
  if (bytes >= minimum) return;
  const least = formatBinarySize(minimum);
  throw invalidResourceArgument(
    `mem: ${formatBinarySize(bytes)} is less than a kernel of this image needs (${least})`,
    {
      field: 'resource_slots.mem',
      allowed: `at least ${least}`,
    },
  );
}

function checkExclusive(slots: Readonly<Record<string, string>>, groups: readonly (readonly string[])[]): void {
  const asked = Object.keys(slots).filter((slot) => slots[slot] !== '0');
  for (const patterns of groups) {
    const matched = asked.filter((slot) => patterns.some((pattern) => matchesGlob(slot, pattern)));
    if (matched.length > 1) {
      throw invalidResourceCombination(`${matched.join(' and ')} can't be had together`, {
        field: `resource_slots.${matched[1] ?? ''}`,
        allowed: 'one of them',
      });
    }
  }
}

function matchesGlob(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}
