import { malformed } from '../wire-errors.js';
import { PickleGlobal, PickleObject, readPickle, type PickleValue } from './pickle-reader.js';
import { EnumWord, ImageRef } from './wire-values.js';

/** Packages of the reference whose classes may be named in a pickle. */
const REFERENCE = /^ai\.backend(\.|$)/;

/**
 * Enumerations whose values are their member names, lower-case with dashes. CPython 3.11 pickles the member's name
 * instead of its value (rpc.md §3.5), so it must be derivable.
 */
const NAMED_LIKE_VALUES = new Set([
  'SessionTypes',
  'ClusterMode',
  'AutoPullBehavior',
  'KernelLifecycleEventReason',
  'ServicePortProtocols',
]);

/** Ext 6: the constructor's only argument, whatever the class is called. */
export function readEnumWord(bytes: Uint8Array): EnumWord {
  const { callable, args } = object(readPickle(bytes));
  if (callable.module === 'builtins' && callable.name === 'getattr') {
    const [owner, member] = args;
    if (
      !(owner instanceof PickleGlobal) ||
      !REFERENCE.test(owner.module) ||
      typeof member !== 'string' ||
      args.length !== 2
    ) {
      throw notExpected('an enumeration member');
    }
    if (!NAMED_LIKE_VALUES.has(owner.name)) throw malformed(`the value of ${owner.name}.${member} is not known here`);
    return new EnumWord(owner.name, member.toLowerCase().replaceAll('_', '-'));
  }
  const [value] = args;
  if (!REFERENCE.test(callable.module) || typeof value !== 'string' || args.length !== 1) {
    throw notExpected('an enumeration member');
  }
  return new EnumWord(callable.name, value);
}

/** Ext 7. */
export function readImageRef(bytes: Uint8Array): ImageRef {
  const { callable, state } = object(readPickle(bytes));
  if (!isClass(callable, 'ImageRef') || !(state instanceof Map)) throw notExpected('an ImageRef');
  const text = (key: string): string => {
    const value = state.get(key);
    if (typeof value !== 'string') throw malformed(`ImageRef.${key} must be a text`);
    return value;
  };
  const project = state.get('project') ?? null;
  if (project !== null && typeof project !== 'string') throw malformed('ImageRef.project must be a text or nothing');
  return new ImageRef(
    text('registry'),
    project,
    text('name'),
    text('tag'),
    text('architecture'),
    state.get('is_local') === true,
  );
}

/** Ext 3, as exact decimal text. */
export function readDecimal(bytes: Uint8Array): string {
  return decimalOf(readPickle(bytes));
}

/** Ext 8: slot name → exact decimal text. */
export function readResourceSlot(bytes: Uint8Array): Record<string, string> {
  const { callable, state } = object(readPickle(bytes));
  const attributes = Array.isArray(state) ? state[1] : undefined;
  const data = attributes instanceof Map ? attributes.get('data') : undefined;
  if (!isClass(callable, 'ResourceSlot') || !(data instanceof Map)) throw notExpected('a ResourceSlot');
  return Object.fromEntries([...data].map(([slot, amount]) => [slot, decimalOf(amount)]));
}

/** Ext 9. */
export function readSlotName(bytes: Uint8Array): string {
  const { callable, args } = object(readPickle(bytes));
  const [name] = args;
  if (!isClass(callable, 'SlotName') || typeof name !== 'string') throw notExpected('a SlotName');
  return name;
}

/** Ext 16, in bytes. */
export function readBinarySize(bytes: Uint8Array): number {
  const { callable, args } = object(readPickle(bytes));
  const [size] = args;
  if (!isClass(callable, 'BinarySize') || typeof size !== 'number' || !Number.isInteger(size)) {
    throw notExpected('a BinarySize below 2^53');
  }
  return size;
}

function decimalOf(value: PickleValue): string {
  const { callable, args } = object(value);
  const [text] = args;
  if (callable.module !== 'decimal' || callable.name !== 'Decimal' || typeof text !== 'string')
    throw notExpected('a Decimal');
  return text;
}

function object(value: PickleValue): PickleObject {
  if (!(value instanceof PickleObject)) throw malformed('pickle holds a plain value where an object was expected');
  return value;
}

function isClass(global: PickleGlobal, name: string): boolean {
  return REFERENCE.test(global.module) && global.name === name;
}

function notExpected(what: string): Error {
  return malformed(`pickle is not ${what}`);
}
