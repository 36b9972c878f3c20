import { describe, expect, it } from 'vitest';
import type { KernelStore } from '../../src/application/ports/kernel-store.port.js';
import { parseKernelId } from '../../src/domain/kernel/kernel-id.js';
import { KERNEL_ID, kernelRecord, kernelSpec } from '../support/kernel-records.js';

const OTHER_ID = parseKernelId('7f3d2c1b-0000-4000-8000-000000000009');

/** `make` gives an empty store; `reopen` one over the same data, as after a restart of the agent. */
export function describeKernelStore(
  name: string,
  make: () => Promise<{ readonly store: KernelStore; readonly reopen: () => KernelStore } & AsyncDisposable>,
): void {
  describe(`KernelStore: ${name}`, () => {
    it('is empty at first', async () => {
      await using made = await make();
      expect(await made.store.load()).toEqual({ records: [], broken: [] });
    });

    it('gives back exactly what was saved, after a restart too', async () => {
      await using made = await make();
      const big = kernelRecord();
      const small = kernelRecord({
        spec: kernelSpec({ kernelId: OTHER_ID }),
        state: 'TERMINATING',
        containerId: null,
        startedAtMs: null,
        terminationReason: 'user-requested',
        endsSilently: true,
      });
      await made.store.save(big);
      await made.store.save(small);
      const { records, broken } = await made.reopen().load();
      expect(broken).toEqual([]);
      expect(new Map(records.map((record) => [record.spec.kernelId, record]))).toEqual(
        new Map([
          [KERNEL_ID, big],
          [OTHER_ID, small],
        ]),
      );
    });

    it('keeps the last of many saves that were not awaited', async () => {
      await using made = await make();
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => made.store.save(kernelRecord({ createdAtMs: index }))),
      );
      const { records } = await made.reopen().load();
      expect(records.map((record) => record.createdAtMs)).toEqual([19]);
    });

    it('removes what was there, also right behind a save, and does not mind what was not', async () => {
      await using made = await make();
      const saving = made.store.save(kernelRecord());
      const removing = made.store.remove(KERNEL_ID);
      await Promise.all([saving, removing]);
      await made.store.remove(OTHER_ID);
      expect(await made.reopen().load()).toEqual({ records: [], broken: [] });
    });
  });
}
