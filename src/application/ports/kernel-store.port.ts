import type { KernelId } from '../../domain/kernel/kernel-id.js';
import type { KernelRecord } from '../../domain/kernel/kernel-record.js';

/** A record that could not be read: set aside under `path`, told, and skipped. */
export interface BrokenRecord {
  readonly path: string;
  readonly problem: string;
}

/** What must survive a restart: one small versioned JSON document per kernel, written atomically. */
export interface KernelStore {
  save(record: KernelRecord): Promise<void>;
  remove(kernelId: KernelId): Promise<void>;
  /** All records; broken ones are set aside and do not stop the others. */
  load(): Promise<{ readonly records: readonly KernelRecord[]; readonly broken: readonly BrokenRecord[] }>;
}

export const KernelStore = Symbol('KernelStore');
