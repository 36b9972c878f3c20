import { invalidArgument } from '../error/errors.js';
import { Amount } from './amount.js';
import { formatBinarySize, parseBinarySize } from './binary-size.js';
import type { DeviceAllocation, SlotType } from './device.js';
import { deviceNameOf } from './resource-spec.js';

export interface ResourceTxtMount {
  /** Absolute host path, or the name of a volume. */
  readonly source: string;
  readonly target: string;
  readonly permission: 'ro' | 'rw' | 'wd';
}

/** The content of `config/resource.txt` (lifecycle.md §4): what hooks, plug-ins and the recovery read. */
export interface ResourceTxt {
  readonly mounts: readonly ResourceTxtMount[];
  /** Slot → decimal text, zero slots included. */
  readonly slots: Readonly<Record<string, string>>;
  readonly unifiedDevices: readonly (readonly [deviceName: string, slotName: string])[];
  /** Device name → allocation, in allocation order. */
  readonly allocation: Readonly<Record<string, DeviceAllocation>>;
  /** Lines of the plug-ins (lifecycle.md §6.8). */
  readonly deviceLines: Readonly<Record<string, string>>;
  readonly containerId?: string;
}

const SHARES = '_SHARES';
const MAX_LENGTH = 1_048_576;
const FIELD = 'resource.txt';

/** Throws InvalidArgumentError for a mount whose path has a separator of the format, which would break reading it. */
export function writeResourceTxt(content: ResourceTxt, slotTypes: Readonly<Record<string, SlotType>>): string {
  const lines = [
    'SCRATCH_SIZE=0m',
    `MOUNTS=${content.mounts.map(writeMount).join(',')}`,
    `SLOTS=${JSON.stringify(content.slots)}`,
    `UNIFIED_DEVICES=${JSON.stringify(content.unifiedDevices)}`,
  ];
  for (const slots of Object.values(content.allocation)) {
    for (const [slotName, shares] of Object.entries(slots)) {
      const items = Object.entries(shares).map(([deviceId, text]) => {
        const amount = Amount.parse(text, slotName);
        const isBytes = slotTypes[slotName] === 'bytes';
        return `${deviceId}:${isBytes ? formatBinarySize(amount.quanta(Amount.ONE)) : amount.toString()}`;
      });
      lines.push(`${slotName.toUpperCase()}${SHARES}=${items.join(',')}`);
    }
  }
  for (const [key, value] of Object.entries(content.deviceLines)) {
    if (/[=\r\n]/.test(key) || /[\r\n]/.test(value)) throw broken(`the line ${key} of a plug-in`);
    lines.push(`${key}=${value}`);
  }
  if (content.containerId !== undefined) lines.push(containerIdLine(content.containerId));
  return lines.map((line) => `${line}\n`).join('');
}

/** The line that is appended once the container exists, without its end. */
export function containerIdLine(containerId: string): string {
  return `CID=${containerId}`;
}

/**
 * Reads it back. Sizes are written in a short form that loses digits; where a slot is on one device, SLOTS has the exact
 * amount and is believed. Throws InvalidArgumentError for what can't have been written by an agent.
 */
export function readResourceTxt(text: string, slotTypes: Readonly<Record<string, SlotType>>): ResourceTxt {
  if (text.length > MAX_LENGTH) throw broken('its length');
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  if (!values.has('SCRATCH_SIZE')) throw broken('SCRATCH_SIZE, which is missing');
  const slots = readSlots(values.get('SLOTS'));
  const allocation: Record<string, Record<string, Readonly<Record<string, string>>>> = {};
  const deviceLines: Record<string, string> = {};
  for (const [key, value] of values) {
    if (['SCRATCH_SIZE', 'MOUNTS', 'SLOTS', 'UNIFIED_DEVICES', 'CID'].includes(key)) continue;
    if (!key.endsWith(SHARES)) {
      deviceLines[key] = value;
      continue;
    }
    const slotName = key.slice(0, -SHARES.length).toLowerCase();
    const device = (allocation[deviceNameOf(slotName)] ??= {});
    device[slotName] = readShares(slotName, value, slotTypes[slotName] === 'bytes', slots[slotName]);
  }
  const containerId = values.get('CID');
  return {
    mounts: (values.get('MOUNTS') ?? '')
      .split(',')
      .filter((item) => item !== '')
      .map(readMount),
    slots,
    unifiedDevices: readPairs(values.get('UNIFIED_DEVICES')),
    allocation,
    deviceLines,
    ...(containerId === undefined ? {} : { containerId }),
  };
}

function writeMount({ source, target, permission }: ResourceTxtMount): string {
  if (/[:,\r\n]/.test(source + target))
    throw broken(`the mount ${JSON.stringify(source)} to ${JSON.stringify(target)}`);
  return `${source}:${target}:${permission}`;
}

function readMount(item: string): ResourceTxtMount {
  const [source = '', target = '', permission = '', ...more] = item.split(':');
  const isVolume = !source.includes('/') && source !== '';
  const isPermission = permission === 'ro' || permission === 'rw' || permission === 'wd';
  if (more.length > 0 || (!source.startsWith('/') && !isVolume) || !target.startsWith('/') || !isPermission) {
    throw broken(`the mount '${item.slice(0, 128)}'`);
  }
  return { source, target, permission };
}

function readShares(
  slotName: string,
  value: string,
  isBytes: boolean,
  exact: string | undefined,
): Record<string, string> {
  const items = value.split(',').filter((item) => item !== '');
  const shares: Record<string, string> = {};
  for (const item of items) {
    const colon = item.indexOf(':');
    if (colon < 1) throw broken(`the share '${item.slice(0, 64)}' of ${slotName}`);
    const amount = item.slice(colon + 1);
    const parsed = isBytes ? Amount.of(parseBinarySize(amount, FIELD)) : Amount.parse(amount, FIELD);
    shares[item.slice(0, colon)] = parsed.toString();
  }
  const [only, ...others] = items;
  if (isBytes && only !== undefined && others.length === 0 && exact !== undefined) {
    const short = formatBinarySize(Amount.parse(exact, FIELD).quanta(Amount.ONE));
    const colon = only.indexOf(':');
    if (only.slice(colon + 1) === short) shares[only.slice(0, colon)] = exact;
  }
  return shares;
}

function readSlots(text: string | undefined): Record<string, string> {
  const parsed = parseJson(text, 'SLOTS');
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw broken('SLOTS');
  return Object.fromEntries(
    Object.entries(parsed).map(([slot, value]) => {
      if (typeof value !== 'string' && typeof value !== 'number') throw broken(`the slot ${slot.slice(0, 64)}`);
      return [slot, Amount.parse(String(value), FIELD).toString()];
    }),
  );
}

function readPairs(text: string | undefined): (readonly [string, string])[] {
  const parsed = text === undefined ? [] : parseJson(text, 'UNIFIED_DEVICES');
  if (!Array.isArray(parsed)) throw broken('UNIFIED_DEVICES');
  return parsed.map((pair: unknown) => {
    const [device, slot] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof device !== 'string' || typeof slot !== 'string') throw broken('UNIFIED_DEVICES');
    return [device, slot] as const;
  });
}

function parseJson(text: string | undefined, key: string): unknown {
  try {
    return JSON.parse(text ?? '') as unknown;
  } catch (error) {
    throw broken(key, error);
  }
}

function broken(what: string, cause?: unknown): Error {
  return invalidArgument(`${FIELD} can't hold ${what}`, { field: FIELD, cause });
}
