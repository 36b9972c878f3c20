/** A background task that has not been told to be over. */
export interface TaskRecord {
  /** A UUID with dashes. */
  readonly id: string;
  /** What it does, in words. */
  readonly name: string;
  /** How it ended; `null` while it goes on. Whoever finds it after a crash tells it again. */
  readonly end: TaskEnd | null;
}

export interface TaskEnd {
  readonly event: 'bgtask_done' | 'bgtask_failed' | 'bgtask_cancelled';
  readonly message: string | null;
}

/**
 * The background tasks under way, kept over a crash: nobody waits for ever for one that died with the agent. Failures
 * are StorageErrors.
 */
export interface TaskJournal {
  /** Replaces what was saved of the task. */
  save(record: TaskRecord): Promise<void>;
  /** Gone already is a success. */
  remove(id: string): Promise<void>;
  /** All tasks; of a record that can't be read only the id is known. */
  load(): Promise<readonly TaskRecord[]>;
}

export const TaskJournal = Symbol('TaskJournal');
