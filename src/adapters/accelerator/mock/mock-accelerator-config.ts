import { z } from 'zod';

/** What separates items in resource.txt can't be in an id (lifecycle.md §4.2). */
const deviceId = z.string().regex(/^[\w./-]{1,64}$/, 'letters, digits and _ . / -');

const device = z.strictObject({
  id: deviceId,
  model: z.string().max(128).default('Mock Accelerator'),
  memoryBytes: z.int().nonnegative(),
  processingUnits: z.int().nonnegative(),
  numaNode: z.int().nonnegative().nullable().default(null),
});

/** Configuration of the accelerator that exists only in it. */
export const mockAcceleratorConfig = z
  .strictObject({
    /** Device name; the slot is `<key>.device` or `<key>.shares`. */
    key: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,31}$/)
      .default('mock'),
    /** Whole devices, or shares of them. */
    mode: z.enum(['device', 'shares']).default('device'),
    devices: z.array(device).max(1024),
    /** Smallest share. */
    quantum: z.enum(['0.01', '0.05', '0.1', '0.25', '0.5', '1']).default('0.1'),
    /** One share is this much memory and this many processing units, whichever a device has less of. */
    unitMemoryBytes: z
      .int()
      .positive()
      .default(2 * 1024 ** 3),
    unitProcessingUnits: z.int().positive().default(8),
    strategy: z.enum(['FILL', 'EVENLY']).default('EVENLY'),
  })
  .refine(({ devices }) => new Set(devices.map(({ id }) => id)).size === devices.length, {
    path: ['devices'],
    message: 'each device needs an id of its own',
  })
  .refine(({ key }) => key !== 'cpu' && key !== 'mem', { path: ['key'], message: 'cpu and mem are not mocks' });

/** As written by the operator. */
export type MockAcceleratorConfig = z.input<typeof mockAcceleratorConfig>;
