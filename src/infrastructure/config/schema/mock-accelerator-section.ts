import { z } from 'zod';
import { key, section } from '../key-definition.js';
import { boolean, kebabKeys, size, text, type ValueType } from '../value-type.js';

/** A pretended device: `[accelerator.mock] devices`. */
export interface MockDevice {
  readonly id: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly processingUnits: number;
  /** `null` = unknown. */
  readonly numaNode: number | null;
}

const device = z.preprocess(
  kebabKeys,
  z
    .strictObject({
      id: z.string().regex(/^[\w.-]{1,64}$/),
      model: z.string().max(128).default('Mock Device'),
      memory: size.schema.default(8 * 1024 ** 3),
      'processing-units': z.number().int().min(1).max(1_000_000).default(1),
      'numa-node': z.number().int().min(0).max(1023).nullable().default(null),
    })
    .transform((raw): MockDevice => ({
      id: raw.id,
      model: raw.model,
      memoryBytes: raw.memory,
      processingUnits: raw['processing-units'],
      numaNode: raw['numa-node'],
    })),
);

const devices: ValueType<readonly MockDevice[]> = {
  schema: z
    .array(device)
    .max(256)
    .refine((list) => new Set(list.map((item) => item.id)).size === list.length),
  allowed: 'a list of { id, model, memory, processing-units, numa-node } with different ids',
};

/** `[accelerator.mock]`: an accelerator that allocates like a real one, for trying and testing. Not in the reference. */
export const mockAcceleratorSection = section('A pretended accelerator, for trying things out.', {
  devices: key(devices, [], 'The devices; none means that there is no such accelerator.', {
    defaultText:
      '[], or e.g. [{ id = "mock0", model = "Mock 8G", memory = "8G", processing-units = 80, numa-node = 0 }]',
  }),
  slot: key(
    text({ pattern: /^mock\.[a-z0-9-]{1,32}$/, allowed: '"mock." and a name, e.g. "mock.device"' }),
    'mock.device',
    'Name of the resource slot.',
  ),
  fractional: key(boolean, false, 'A kernel may have a part of a device.'),
  quantum: key(
    text({ pattern: /^(?=.*[1-9])\d{1,6}(?:\.\d{1,6})?$/, allowed: 'a positive decimal as text, e.g. "0.1"' }),
    '0.1',
    'Smallest part of a device when fractional.',
  ),
});
