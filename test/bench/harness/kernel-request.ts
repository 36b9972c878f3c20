import { randomUUID } from 'node:crypto';
import { parseKernelId, parseSessionId } from '../../../src/domain/kernel/kernel-id.js';
import type { KernelSpec } from '../../../src/domain/kernel/kernel-spec.js';
import { kernelSpec } from '../../support/kernel-records.js';

/** More kernels than cores must fit on the machine; both sides of each comparison get the same share. */
export const OVERCOMMIT = { BACKEND_CPU_OVERCOMMIT_FACTOR: '10' };

/** A kernel as the quickstart makes it: one core, 512 MiB. */
export function kernelRequest(image: string): KernelSpec {
  return kernelSpec({
    kernelId: parseKernelId(randomUUID()),
    sessionId: parseSessionId(randomUUID()),
    image: { canonical: image, isLocal: true, autoPull: 'none' },
    resourceSlots: { cpu: '1', mem: '512m' },
  });
}
