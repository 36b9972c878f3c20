import { isAgentError } from '../error/agent-error.js';
import { Amount } from '../resource/amount.js';
import { parseBinarySize } from '../resource/binary-size.js';

const PREFIX = 'ai.backend.';
const MIN = `${PREFIX}resource.min.`;
const MAX = `${PREFIX}resource.max.`;
const MAX_VALUE_LENGTH = 16_384;
const MAX_WORDS = 128;

/** What an image says about itself (lifecycle.md §2), believed only as far as it makes sense. */
export interface ImageLabels {
  /** False for an image that was not made for Backend.AI. */
  readonly isLabelled: boolean;
  readonly kernelspec: number;
  readonly features: ReadonlySet<string>;
  /** Run as the kernel's user and group. */
  readonly uidMatch: boolean;
  readonly baseDistro: string | undefined;
  readonly runtimeType: string;
  readonly runtimePath: string | undefined;
  /** Variables to fill with the number of cores. */
  readonly coreCountVariables: readonly string[];
  /** Still text: parseServicePorts refuses what is wrong in it. */
  readonly servicePorts: string;
  readonly endpointNames: readonly string[];
  readonly role: 'COMPUTE' | 'INFERENCE' | 'SYSTEM';
  /** Slot → least amount as decimal text; bytes for `mem`. */
  readonly minResources: Readonly<Record<string, string>>;
  readonly maxResources: Readonly<Record<string, string>>;
  readonly preferredShmemBytes: number | undefined;
  /** One sentence for each label that was ignored. */
  readonly warnings: readonly string[];
}

/**
 * Reads the `ai.backend.*` labels. A label that makes no sense is ignored with a warning and its default applies: an image
 * must not be unusable for a misspelt hint.
 */
export function parseImageLabels(labels: Readonly<Record<string, string>>): ImageLabels {
  const warnings: string[] = [];
  const read = (name: string): string => {
    const key = PREFIX + name;
    const value = Object.hasOwn(labels, key) ? (labels[key] ?? '').trim() : '';
    if (value.length <= MAX_VALUE_LENGTH) return value;
    warnings.push(`label ${key} is ignored: longer than ${MAX_VALUE_LENGTH} characters`);
    return '';
  };
  /** The value if it fits the grammar, else nothing and a warning. */
  const matching = (name: string, grammar: RegExp): string | undefined => {
    const value = read(name);
    if (value === '' || grammar.test(value)) return value === '' ? undefined : value;
    warnings.push(`label ${PREFIX}${name} is ignored: '${value.slice(0, 64)}' is not allowed there`);
    return undefined;
  };
  const list = (name: string, separator: RegExp, grammar: RegExp): string[] => {
    const words = read(name)
      .split(separator)
      .filter((word) => word !== '');
    const good = words.filter((word) => grammar.test(word)).slice(0, MAX_WORDS);
    if (good.length < words.length)
      warnings.push(`label ${PREFIX}${name} is ignored in part: it has words not allowed there`);
    return [...new Set(good)];
  };
  const hasFeatures = Object.hasOwn(labels, `${PREFIX}features`);
  const features = new Set(hasFeatures ? list('features', /\s+/, /^[\w.-]{1,64}$/) : ['uid-match']);
  const shmem = amounts({ shmem: read('resource.preferred.shmem') }, `${PREFIX}resource.preferred.`, warnings)['shmem'];
  return {
    isLabelled: Object.keys(labels).some((key) => key.startsWith(PREFIX)),
    kernelspec: Number(matching('kernelspec', /^\d{1,3}$/) ?? '1'),
    features,
    uidMatch: features.has('uid-match'),
    baseDistro: matching('base-distro', /^[a-z][a-z-]{0,30}[\d.]{0,16}$/),
    runtimeType: matching('runtime-type', /^[\w.-]{1,64}$/) ?? 'app',
    runtimePath: matching('runtime-path', /^\/[ -~]{0,1023}$/),
    coreCountVariables: list('envs.corecount', /\s*,\s*/, /^[A-Za-z_]\w{0,127}$/),
    servicePorts: read('service-ports'),
    endpointNames: list('endpoint-ports', /\s*,\s*/, /^[\w-]{1,128}$/),
    role: (matching('role', /^(?:COMPUTE|INFERENCE|SYSTEM)$/) ?? 'COMPUTE') as ImageLabels['role'],
    minResources: amounts(strip(labels, MIN), MIN, warnings),
    maxResources: amounts(strip(labels, MAX), MAX, warnings),
    preferredShmemBytes: shmem === undefined ? undefined : Number(shmem),
    warnings,
  };
}

function strip(labels: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  const entries = Object.entries(labels).filter(([key]) => key.startsWith(prefix) && key.length > prefix.length);
  return Object.fromEntries(entries.slice(0, MAX_WORDS).map(([key, value]) => [key.slice(prefix.length), value]));
}

/** Slots named after memory are sizes, others are decimals (lifecycle.md §6.1). */
function amounts(texts: Readonly<Record<string, string>>, prefix: string, warnings: string[]): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [slot, text] of Object.entries(texts)) {
    if (text.trim() === '') continue;
    try {
      const field = prefix + slot;
      const amount = slot.includes('mem') ? Amount.of(parseBinarySize(text, field)) : Amount.parse(text, field);
      if (amount.isNegative) throw new RangeError('negative');
      result[slot] = amount.toString();
    } catch (error) {
      if (!isAgentError(error) && !(error instanceof RangeError)) throw error;
      warnings.push(`label ${prefix}${slot.slice(0, 64)} is ignored: '${text.slice(0, 64)}' is not an amount`);
    }
  }
  return result;
}
