import type { TaskJournal, TaskRecord } from '../../src/application/ports/task-journal.port.js';

/** A journal that outlives the agent and not the test. */
export class MemoryTaskJournal implements TaskJournal {
  readonly records = new Map<string, TaskRecord>();

  save(record: TaskRecord): Promise<void> {
    this.records.set(record.id, record);
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    this.records.delete(id);
    return Promise.resolve();
  }

  load(): Promise<readonly TaskRecord[]> {
    return Promise.resolve([...this.records.values()]);
  }
}
