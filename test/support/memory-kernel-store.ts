import type { BrokenRecord, KernelStore } from '../../src/application/ports/kernel-store.port.js';
import type { KernelId } from '../../src/domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../src/domain/kernel/kernel-record.js';

/** Keeps records in memory. Set `failure` to make every call fail with it. */
export class MemoryKernelStore implements KernelStore {
  failure: Error | undefined;
  /** Every record saved, in order: what would have been on disk at each moment. */
  readonly saved: KernelRecord[] = [];
  readonly broken: BrokenRecord[] = [];
  readonly #records = new Map<KernelId, KernelRecord>();

  save(record: KernelRecord): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    const copy = structuredClone(record);
    this.saved.push(copy);
    this.#records.set(record.spec.kernelId, copy);
    return Promise.resolve();
  }

  remove(kernelId: KernelId): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    this.#records.delete(kernelId);
    return Promise.resolve();
  }

  load(): Promise<{ readonly records: readonly KernelRecord[]; readonly broken: readonly BrokenRecord[] }> {
    if (this.failure) return Promise.reject(this.failure);
    const records = [...this.#records.values()].map((record) => structuredClone(record));
    return Promise.resolve({ records, broken: this.broken.splice(0) });
  }
}
